"""What is kept of an exception: its kind, text and traceback, never the values of variables."""
