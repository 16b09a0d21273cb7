"""Values on their way in and out: JSON, secrets, times, identifiers, visible text."""
