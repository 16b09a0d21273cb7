"""Questions that change nothing: why a Job is where it is, what failed, what waits."""
