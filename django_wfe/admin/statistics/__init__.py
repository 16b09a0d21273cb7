"""Is it getting better? The numbers over time, overall and of one workflow."""
