"""The clock by which this process counts seconds."""

from __future__ import annotations

import time


def read_clock() -> float:
    """Return the seconds of the monotonic clock, the one of ``time.monotonic()``.

    Read from the system: libraries that freeze the time in tests replace ``time.monotonic``, and a timeout would then
    never come.
    """
    return time.clock_gettime(time.CLOCK_MONOTONIC)
