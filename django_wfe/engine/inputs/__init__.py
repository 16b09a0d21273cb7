"""External input: validated, with one meaning at every door, and its secrets found."""
