"""Incidents, and their repair in stages."""
