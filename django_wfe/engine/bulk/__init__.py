"""One verb over many Jobs, in the background."""
