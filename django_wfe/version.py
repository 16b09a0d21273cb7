"""The version, kept apart so that packaging reads it without Django."""

__version__ = "2.0.0"
