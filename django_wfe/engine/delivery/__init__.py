"""Telling others: that a step run is ready (dispatcher), and what was committed (signals)."""
