"""What surrounds a Job's code, such as a tenant: captured where the Job starts, entered where its code runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from django_wfe.conf import settings
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.exceptions import ContextFailed, NotEncodable
from django_wfe.models import Job
from django_wfe.values.encoding import encode
from django_wfe.values.sentences import gettext as _

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

MOST_BYTES = 8_192
"""The most that is kept of a Job's surroundings, as JSON: they are read with each claim."""


class JobContext:
    """What surrounds the code of a project's Jobs; the base class for ``WFE_CONTEXT``.

    One object serves a process, and its threads at once.
    """

    def capture(self) -> Any:
        """Return what is to be known of the surroundings of a start, as JSON has it. Default: None.

        It is called in the process and thread that starts the Job: in a request, a command, a step of another Job.
        Whoever may see the Job's data sees it: it is no place for secrets.
        """
        return None

    def enter(self, captured: Any) -> AbstractContextManager[Any]:
        """Return a context manager that code of the Job runs in. Default: one that does nothing.

        That is each step (``execute``, ``transition``, ``on_cancel``, and the checks of what it is given), and
        what checks an answer that is given in the admin, by REST, by the command and by Python. It has to put
        everything back at its end; a connection, too. No timeout counts for it.

        Args:
            captured: what ``capture`` returned; None for a Job that was started without.
        """
        return nullcontext()

    def check(self) -> list[CheckMessage]:
        """Return what ``manage.py check`` has to say about how it is set up. Default: nothing."""
        return []


_configured: JobContext | None = None


def get_job_context() -> JobContext | None:
    """Return the context in use; None if the project has none.

    Raises:
        ImproperlyConfigured: as of ``build_job_context``.
    """
    global _configured
    if _configured is None and settings.context:
        _configured = build_job_context()
    return _configured


def build_job_context() -> JobContext | None:
    """Return an object of the class that ``WFE_CONTEXT`` names; None if the setting is empty.

    Raises:
        ImproperlyConfigured: it cannot be imported, or is not a subclass of ``JobContext``.
    """
    path = settings.context
    if not path:
        return None
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"WFE_CONTEXT = {path!r} cannot be imported: {error}.") from error
    if not isinstance(found, type) or not issubclass(found, JobContext):
        raise ImproperlyConfigured(
            f"WFE_CONTEXT = {path!r}: name a subclass of django_wfe.contexts.JobContext, not {found!r}."
        )
    return found()


def capture_context() -> str | None:
    """Return the surroundings of a start as JSON text; None if the project captures none.

    Raises:
        ContextFailed: ``capture`` raised something, or returned what cannot be kept.
    """
    context = get_job_context()
    if context is None:
        return None
    name = f"{type(context).__name__}.capture()"
    try:
        captured = encode(context.capture(), _("what %(name)s returned") % {"name": name})
    except NotEncodable as error:
        raise ContextFailed(str(error)) from error
    except Exception as error:  # the project's code may raise anything
        raise ContextFailed(
            _("%(name)s raised %(error)s. Nothing was started.") % {"name": name, "error": say_briefly(error)}
        ) from error
    if len(captured) > MOST_BYTES:
        raise ContextFailed(
            _("%(name)s returned %(bytes)s bytes; %(most)s can be kept. Return a key in place of the thing itself.")
            % {"name": name, "bytes": len(captured), "most": MOST_BYTES}
        )
    return None if captured == "null" else captured


@contextmanager
def in_context_of(job: Job) -> Iterator[None]:
    """Run code of a Job, such as the check of an answer, in its surroundings.

    Raises:
        ContextFailed: they could not be entered, or not be left.
    """
    context = get_job_context()
    if context is None:
        yield
        return
    manager = enter(context, job.context)
    try:
        yield
    except BaseException:
        manager.__exit__(*sys.exc_info())
        raise
    leave(context, manager)


def enter(context: JobContext, captured: Any) -> AbstractContextManager[Any]:
    """Enter the surroundings of a Job, and return what ``leave`` takes.

    Raises:
        ContextFailed: the project's code raised something.
    """
    try:
        manager = context.enter(captured)
        manager.__enter__()
    except Exception as error:
        raise _explain(context, "enter", error) from error
    return manager


def leave(context: JobContext, manager: AbstractContextManager[Any]) -> None:
    """Leave them again, where nothing was raised inside.

    Raises:
        ContextFailed: the project's code raised something.
    """
    try:
        manager.__exit__(None, None, None)
    except Exception as error:
        raise _explain(context, "exit", error) from error


def _explain(context: JobContext, what: str, error: Exception) -> ContextFailed:
    values = {"name": type(context).__name__, "error": say_briefly(error)}
    if what == "enter":
        return ContextFailed(_("%(name)s.enter() could not set up what surrounds the job: %(error)s") % values)
    return ContextFailed(_("%(name)s.enter() could not put back what surrounded the job: %(error)s") % values)


def _forget_configured(*, setting: str, **kwargs: Any) -> None:
    global _configured
    if setting == "WFE_CONTEXT":
        _configured = None


setting_changed.connect(_forget_configured)
