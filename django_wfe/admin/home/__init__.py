"""The console's home page."""
