"""A project as the README sets it up: what the others are compared with."""
