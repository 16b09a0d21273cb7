"""What every page of the console has in common."""
