"""A Job's timeline: its step runs on one time axis."""
