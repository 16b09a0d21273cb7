"""What steps print, write and log: captured while they run, kept as the log of their step run."""
