"""The model server: what it serves, and what its errors mean."""
