"""Values that are too large for a row: written to the storage before the row is, held by it, and swept after it."""
