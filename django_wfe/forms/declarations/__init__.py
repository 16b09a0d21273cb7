"""A pydantic model as a tree of declarations, made once for each model."""
