"""The points between which a process may die. A crash kit stops the engine there; otherwise they cost a comparison.

Each point has a name: "before " or "after ", and then the statement, "execute" or "dispatch".
"""

from __future__ import annotations

from collections.abc import Callable

Watcher = Callable[[str], None]


class Death(BaseException):
    """Raised by a watcher at a point, it stands for kill -9 there: the engine lets it through and does nothing more."""


_watcher: Watcher | None = None


def cross(point: str) -> None:
    """Pass a point. A watcher that raises there stands for the death of the process."""
    if _watcher is not None:
        _watcher(point)


def watch_boundaries(watcher: Watcher | None) -> Watcher | None:
    """Have ``watcher`` called with the name of each point that this process passes; return the one before."""
    global _watcher
    before, _watcher = _watcher, watcher
    return before
