"""Refuses to run steps where a library has put green threads in place of the system's.

There, the heartbeat gets its turn only when a step waits for something that the library knows. A step that computes, or
that waits in a C library such as the driver of the database, holds up everything: its timeout and a cancel never come,
and the whole process is taken for dead. To start Jobs and to give input is no trouble there.
"""

from __future__ import annotations

import sys
from typing import Any

from django_wfe.exceptions import GreenThreads


def refuse_green_threads() -> None:
    """Look at what was patched in this process.

    Raises:
        GreenThreads: if threads are gevent's or eventlet's.
    """
    library = _find_library()
    if library:
        raise GreenThreads(
            f"Steps cannot run in this process: {library} has patched its threads, so that timeouts, cancels and the "
            "signs of life of the worker would not come while a step computes or waits for the database. Start the "
            'workers with "python manage.py rundramatiq", without --use-gevent, and with as many --threads as '
            "you need; a process that is patched may start jobs with order_workflow_execution() and give input."
        )


def _find_library() -> str:
    gevent: Any = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return ""
