"""The page that says why the database or the storage of large values cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from django_wfe.conf import DATABASE
from django_wfe.engine.errors.database_trouble import Trouble, explain_database_error
from django_wfe.engine.rules.start_rules import explain_no_workflows
from django_wfe.exceptions import LargeValueUnavailable

logger = logging.getLogger("django_wfe.console")


def tell_database_trouble(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answer 503 with the cause and the cure: ``migrate`` has not made a table yet, or a file cannot be read."""

    @wraps(view)
    def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except DatabaseError as error:
            trouble = explain_missing_tables(error)
            if trouble is None:
                raise
            # No template of the admin: that would ask the database for the user, in a transaction that is aborted.
            return _answer(request, _("The database is not ready"), trouble)
        except LargeValueUnavailable as error:
            logger.error("%s", error, exc_info=error)
            trouble = Trouble(str(error), "" if error.is_lost else _("Try again once the storage works."))
            return _answer(request, _("A value cannot be read"), trouble)

    return guard


def _answer(request: HttpRequest, title: str, trouble: Trouble) -> HttpResponseBase:
    return render(request, "django_wfe/console/trouble.html", {"title": title, "trouble": trouble}, status=503)


def explain_missing_tables(error: DatabaseError) -> Trouble | None:
    """Return the cause and the cure, and log them, where a table or column of the engine is not there; else None.

    What a server says that does not answer is not for everybody: it names hosts and users.
    """
    trouble = explain_database_error(error)
    if trouble is None or not trouble.is_about_tables:
        return None
    logger.error("%s", trouble, exc_info=error)
    return trouble


def count_safely(count: Callable[[], Any]) -> Any:
    """Return what ``count`` does; where the engine's tables are not there, the Trouble: other apps share the page."""
    try:
        return count()
    except DatabaseError as error:
        # In a transaction the rest of the page would fail too.
        trouble = None if connections[DATABASE].in_atomic_block else explain_missing_tables(error)
        if trouble is None:
            raise
        return trouble


def warn_of_no_workflows(request: HttpRequest) -> None:
    """Warn on an empty page if no watchdog has read a definition yet."""
    text = explain_no_workflows()
    if text:
        messages.warning(request, text)
