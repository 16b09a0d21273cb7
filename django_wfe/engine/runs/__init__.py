"""The end of a step run: its outcome, its commit, and what opens next."""
