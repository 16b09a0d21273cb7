"""Runs workflows inside your tests, without a broker or a worker process, and kills them to see whether they survive.

Import it in tests only, once Django is set up. It sleeps nowhere: waits are skipped by moving deadlines.
"""

from django_wfe.testing.clock import advance_time
from django_wfe.testing.crashes import assert_survives_crashes
from django_wfe.testing.dispatchers import Message, RecordingDispatcher
from django_wfe.testing.running import provide, run_to_end, work

__all__ = [
    "Message",
    "RecordingDispatcher",
    "advance_time",
    "assert_survives_crashes",
    "provide",
    "run_to_end",
    "work",
]
