"""Step runs on pages: their data, what they changed, what matters of them now, and logs that grow."""
