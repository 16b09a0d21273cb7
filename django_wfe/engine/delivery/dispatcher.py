"""How the engine says "this step run is ready", without knowing a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from django.db import transaction

from django_wfe.conf import DATABASE
from django_wfe.engine.output.capture import Hearing
from django_wfe.engine.store.crash_points import cross


class Dispatcher(Protocol):
    """Puts messages on a broker. A message may be lost, late or doubled: the database is the truth."""

    def dispatch(self, step_run_id: int, *, delay_seconds: float = 0) -> bool:
        """Send the message for one step run, to arrive after ``delay_seconds`` if the broker can delay.

        Gives False, and raises nothing, where the broker did not take it.
        """

    def dispatch_bulk(self, bulk_run_id: int, *, delay_seconds: float = 0) -> None:
        """Send the message for the next slice of a bulk run, to arrive after ``delay_seconds``."""


class NullDispatcher:
    """Sends nothing: recovery finds what is ready. For tests, and until a delivery room is there."""

    def dispatch(self, step_run_id: int, *, delay_seconds: float = 0) -> bool:
        """Do nothing."""
        return True

    def dispatch_bulk(self, bulk_run_id: int, *, delay_seconds: float = 0) -> None:
        """Do nothing."""


_dispatcher: Dispatcher | None = None
_factory: Callable[[], Dispatcher] = NullDispatcher


def install_dispatcher(dispatcher: Dispatcher | None) -> Dispatcher | None:
    """Make ``dispatcher`` the one that the engine uses in this process; return the one before. None: the factory's."""
    global _dispatcher
    before, _dispatcher = _dispatcher, dispatcher
    return before


def install_dispatcher_factory(factory: Callable[[], Dispatcher]) -> None:
    """Set what makes the dispatcher when the first message is to be sent."""
    global _factory
    _factory = factory


def get_dispatcher() -> Dispatcher:
    """Return the dispatcher in use."""
    global _dispatcher
    if _dispatcher is None:
        _dispatcher = _factory()
    return _dispatcher


def dispatch_on_commit(step_run_ids: Iterable[int], *, delay_seconds: float = 0) -> None:
    """Send messages once the current transaction is committed; at once where there is none."""
    for step_run_id in step_run_ids:
        transaction.on_commit(partial(_dispatch, step_run_id, delay_seconds), using=DATABASE)


def _dispatch(step_run_id: int, delay_seconds: float) -> None:
    cross("before dispatch")
    # What brokers log is no output of the step that this comes after.
    with Hearing(None):
        get_dispatcher().dispatch(step_run_id, delay_seconds=delay_seconds)
    cross("after dispatch")
