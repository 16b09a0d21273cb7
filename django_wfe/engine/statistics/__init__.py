"""Numbers over time: facts are counted once, into sums by hour and day, and read from there."""
