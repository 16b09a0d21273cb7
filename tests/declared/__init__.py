"""Workflows that tests declare, by what they are about."""
