"""Pieces of pages: states, times, labels, payloads, form fields."""
