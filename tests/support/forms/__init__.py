"""Schemas, values and files of each kind, and what a browser does with a form."""
