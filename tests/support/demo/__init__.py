"""The demo, run and visited by tests."""
