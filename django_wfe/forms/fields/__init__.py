"""Form fields and widgets for the kinds of values that pydantic knows."""
