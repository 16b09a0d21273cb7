"""How the engine says "this is ready", without knowing a broker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import transaction
from django.utils.module_loading import import_string

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.output.capture import Hearing
from django_wfe.engine.store.crash_points import cross

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

logger = logging.getLogger("django_wfe.delivery")


@dataclass(slots=True)
class Message:
    """Says that a step run is ready (``kind`` "step"), or the next slice of a bulk run ("bulk").

    ``number`` is its primary key. The message should arrive after ``delay_seconds``, if the broker can delay.
    """

    kind: Literal["step", "bulk"]
    number: int
    delay_seconds: float = 0.0


class Dispatcher:
    """Sends messages to workers; the base class for ``WFE_DISPATCHER``.

    A message may be lost, late or doubled: the database is the truth, and the watchdog sends again what got lost. One
    object serves a process, and its threads at once.
    """

    def send(self, message: Message) -> bool:
        """Send a message; return whether it was taken. What this raises is logged, and counts as not taken."""
        raise NotImplementedError(f"{type(self).__name__} needs a method send().")

    def check(self) -> list[CheckMessage]:
        """Return what ``manage.py check`` has to say about how it is set up. Default: nothing."""
        return []


class NullDispatcher(Dispatcher):
    """Sends nothing: recovery finds what is ready."""

    def send(self, message: Message) -> bool:
        """Do nothing."""
        return True


_installed: Dispatcher | None = None
_configured: Dispatcher | None = None


def install_dispatcher(dispatcher: Dispatcher | None) -> Dispatcher | None:
    """Make ``dispatcher`` the one of this process; return the one before. None: the one of ``WFE_DISPATCHER``."""
    global _installed
    before, _installed = _installed, dispatcher
    return before


def get_dispatcher() -> Dispatcher:
    """Return the dispatcher in use.

    Raises:
        ImproperlyConfigured: as of ``build_dispatcher``.
    """
    global _configured
    if _installed is not None:
        return _installed
    if _configured is None:
        _configured = build_dispatcher()
    return _configured


def build_dispatcher() -> Dispatcher:
    """Return a dispatcher of the class that ``WFE_DISPATCHER`` names.

    Raises:
        ImproperlyConfigured: it cannot be imported, or is not a subclass of ``Dispatcher``.
    """
    path = settings.dispatcher
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"WFE_DISPATCHER = {path!r} cannot be imported: {error}.") from error
    if not isinstance(found, type) or not issubclass(found, Dispatcher):
        raise ImproperlyConfigured(
            f"WFE_DISPATCHER = {path!r}: name a subclass of django_wfe.dispatchers.Dispatcher, not {found!r}."
        )
    return found()


def send(message: Message) -> bool:
    """Send a message; return whether it was taken. Never raises: what it stands for is committed."""
    try:
        # What brokers log is not output of the step that this comes after.
        with Hearing(None):
            return get_dispatcher().send(message) is not False
    except Exception as error:
        # Each broker has exceptions of its own, and so has a project's dispatcher.
        logger.warning("The message of %s %s was not sent (%r); recovery will.", message.kind, message.number, error)
        return False


def dispatch_on_commit(step_run_ids: Iterable[int], *, delay_seconds: float = 0) -> None:
    """Send messages once the current transaction is committed; at once where there is none."""
    for step_run_id in step_run_ids:
        transaction.on_commit(partial(_dispatch, step_run_id, delay_seconds), using=DATABASE)


def _dispatch(step_run_id: int, delay_seconds: float) -> None:
    cross("before dispatch")
    send(Message("step", step_run_id, delay_seconds))
    cross("after dispatch")


def _forget_configured(*, setting: str, **kwargs: Any) -> None:
    global _configured
    if setting == "WFE_DISPATCHER":
        _configured = None


setting_changed.connect(_forget_configured)
