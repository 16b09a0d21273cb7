"""The demo: a whole installation (PostgreSQL, broker, web, workers, watchdog) that one command starts and stops."""
