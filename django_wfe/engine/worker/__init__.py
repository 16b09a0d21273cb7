"""A process that runs step runs: its loop, the execution of a step, its heartbeat."""
