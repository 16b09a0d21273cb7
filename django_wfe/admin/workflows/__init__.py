"""Workflows, their definitions, and what changed between two of them."""
