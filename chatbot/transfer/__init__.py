"""Taking conversations out of the application, and into it."""
