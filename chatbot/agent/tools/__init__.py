"""What agents may call. A tool's failure reaches the model as text."""
