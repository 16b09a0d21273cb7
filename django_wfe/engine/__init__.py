"""The engine: claims step runs, runs them, commits them, recovers them. It knows no broker."""
