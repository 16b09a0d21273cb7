"""Exports: their files, their rows, and the history of who exported what."""
