"""Starting one Job, and many from a file."""
