"""The one check that asks the database, and only where somebody asks what is wrong: are the tables there?"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Info, Warning  # noqa: A004
from django.db import Error, connections

from django_wfe.checks.running_command import get_running_command
from django_wfe.conf import DATABASE
from django_wfe.engine.errors.database_trouble import (
    explain_connection_error,
    explain_unapplied,
    list_unapplied_migrations,
)

PATIENCE_SECONDS = 5.0
"""For how long the database may take to answer. A host that swallows packets must not hold up "manage.py check"."""


def check_migrations(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Look at the migrations for ``manage.py check`` and for ``rundramatiq``, which cannot work without the tables.

    No other command connects for it, and none fails of it: where a project is checked, its database need not be there.
    """
    if get_running_command() not in ("check", "rundramatiq") or connections[DATABASE].vendor != "postgresql":
        return []
    answer = _ask()
    if isinstance(answer, Error):
        trouble = explain_connection_error(answer)
        return [Info(trouble.cause, hint=trouble.cure, id="wfe.I002")]
    if answer is None:
        return [
            Info(
                f"The database did not answer within {PATIENCE_SECONDS:g} seconds, so its tables were not looked at.",
                hint=f'See that PostgreSQL runs, and look at HOST and PORT in DATABASES["{DATABASE}"].',
                id="wfe.I002",
            )
        ]
    if answer:
        unapplied = explain_unapplied(answer)
        return [Warning(unapplied.cause, hint=unapplied.cure, id="wfe.W012")]
    return []


def _ask() -> list[str] | Error | None:
    """Return the migrations that are lacking, or the error; None if no answer came in time."""
    answers: list[list[str] | Error] = []

    def ask() -> None:
        try:
            answers.append(list_unapplied_migrations())
        except Error as error:
            answers.append(error)

    thread = threading.Thread(target=ask, name="django-wfe-check", daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    return answers[0] if answers else None
