"""What a database error means for somebody who sets a project up: the cause, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from django.db import DatabaseError, Error, connections

from django_wfe.conf import DATABASE
from django_wfe.engine.errors.database_errors import is_connection_error
from django_wfe.values.sentences import gettext as _

NAMED = 5
"""How many migrations are named."""

Function = TypeVar("Function", bound=Callable[..., Any])

_UNDEFINED_COLUMN = "42703"
_UNDEFINED = frozenset({"42P01", _UNDEFINED_COLUMN})
"""The SQLSTATEs of a table and of a column that is not there."""

_OWN_TABLE = re.compile(r"\bdjango_wfe_\w+|\bwfe_\w+")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the database cannot be used, and what to do about it, each as a sentence or more.

    ``is_about_tables``: the database answers, and its tables are not those of this version.
    """

    cause: str
    cure: str
    is_about_tables: bool = False

    def __str__(self) -> str:
        return f"{self.cause} {self.cure}"


def explain_database_error(error: BaseException) -> Trouble | None:
    """Return what is wrong with the database, or None if the error is no matter of how the project is set up.

    May ask the database which migrations are applied, over a connection of its own.
    """
    if not isinstance(error, Error):
        return None
    vendor = connections[DATABASE].vendor
    if vendor != "postgresql":
        cause = _("DATABASES[“%(alias)s”] is %(vendor)s, and django-wfe needs PostgreSQL.")
        cure = _("Write “ENGINE”: “django.db.backends.postgresql” there.")
        return Trouble(cause % {"alias": DATABASE, "vendor": vendor}, cure)
    code = _get_sqlstate(error)
    if code in _UNDEFINED:
        return _explain_tables(str(error), is_column=code == _UNDEFINED_COLUMN)
    if is_connection_error(error) and (code is None or code[:2] in ("08", "28", "3D", "53") or code[:3] == "57P"):
        return explain_connection_error(error)
    return None


def explain_connection_error(error: BaseException) -> Trouble:
    """Return why no connection to the database can be had, with the setting to look at."""
    text = " ".join(str(error).split()) or type(error).__name__
    cause = _("The database does not answer: %(error)s") % {"error": _end_sentence(text)}
    place = f'DATABASES["{DATABASE}"]'
    for pattern, say in _CONNECTION_CURES:
        found = pattern.search(text)
        if found is not None:
            return Trouble(cause, say(found.groupdict().get("name") or "", place))
    return Trouble(cause, _("See that PostgreSQL runs, and look at %(place)s.") % {"place": place})


def list_unapplied_migrations() -> list[str]:
    """Return the migrations that the tables of the engine still need, in their order, those of other apps included.

    Raises:
        django.db.Error: the database does not answer.
    """
    from django.db.migrations.executor import MigrationExecutor  # the loader imports every app's migrations

    # A connection of its own, since the caller's may be in a transaction that is aborted. It stands in for the caller's
    # meanwhile: Django reads what is applied over the thread's connection, whichever the executor was given.
    callers = connections[DATABASE]
    connections[DATABASE] = connection = callers.copy()
    try:
        executor = MigrationExecutor(connection)
        targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "django_wfe"]
        return [str(migration) for migration, _backwards in executor.migration_plan(targets)]
    finally:
        connections[DATABASE] = callers
        connection.close()


def explain_unapplied(migrations: list[str]) -> Trouble:
    """Return what to do about migrations that are not applied."""
    names = ", ".join(migrations[:NAMED]) + (", …" if len(migrations) > NAMED else "")
    return Trouble(
        _("These migrations of django-wfe have not been applied: %(names)s.") % {"names": names},
        _("Run “python manage.py migrate”."),
        is_about_tables=True,
    )


def noting_database_trouble(function: Function) -> Function:
    """Let a database error that leaves ``function`` say its cause and cure in a note, below its own text."""

    @wraps(function)
    def noting(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except DatabaseError as error:
            trouble = explain_database_error(error)
            if trouble is not None and str(trouble) not in getattr(error, "__notes__", ()):
                error.add_note(str(trouble))
            raise

    return noting  # type: ignore[return-value]


def _explain_tables(text: str, *, is_column: bool) -> Trouble | None:
    """Explain a table or column that is not there. An error about a column may name its table by an alias alone."""
    is_named = _OWN_TABLE.search(text) is not None
    if not is_named and not is_column:
        return None  # another app's table: its own affair
    try:
        unapplied = list_unapplied_migrations()
    except Error:
        unapplied = []
    if unapplied:
        return explain_unapplied(unapplied)
    if not is_named:
        return None
    cause = _("A table of django-wfe is not as its migrations made it: %(error)s") % {
        "error": _end_sentence(text.strip().splitlines()[0])
    }
    cure = _("Run “python manage.py migrate”; if that finds nothing to do, the table was changed by hand: restore it.")
    return Trouble(cause, cure, is_about_tables=True)


def _get_sqlstate(error: BaseException) -> str | None:
    cause = error.__cause__
    code = getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)  # psycopg2, psycopg 3
    return str(code) if code else None


def _end_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _say_no_database(name: str, place: str) -> str:
    return _("Create it (“createdb %(name)s”), or correct NAME in %(place)s.") % {"name": name, "place": place}


def _say_no_role(name: str, place: str) -> str:
    return _("Create it (“createuser %(name)s”), or correct USER in %(place)s.") % {"name": name, "place": place}


def _say_refused(name: str, place: str) -> str:
    return _("Correct USER and PASSWORD in %(place)s.") % {"place": place}


def _say_not_admitted(name: str, place: str) -> str:
    return _("Let the server's pg_hba.conf admit this user, or correct %(place)s.") % {"place": place}


def _say_no_host(name: str, place: str) -> str:
    return _("Correct HOST in %(place)s.") % {"place": place}


def _say_full(name: str, place: str) -> str:
    return _("Raise max_connections of PostgreSQL, or run fewer processes and threads.")


def _say_not_running(name: str, place: str) -> str:
    return _("Start PostgreSQL, or correct HOST and PORT in %(place)s.") % {"place": place}


_CONNECTION_CURES: tuple[tuple[re.Pattern[str], Callable[[str, str], str]], ...] = (
    (re.compile(r'database "(?P<name>[^"]*)" does not exist'), _say_no_database),
    (re.compile(r'role "(?P<name>[^"]*)" does not exist'), _say_no_role),
    (re.compile(r"no pg_hba\.conf entry"), _say_not_admitted),
    (re.compile(r"authentication failed|no password supplied"), _say_refused),
    (re.compile(r"could not translate host name|Name or service not known|failed to resolve host"), _say_no_host),
    (re.compile(r"too many (clients|connections)|remaining connection slots|connection limit"), _say_full),
    (
        re.compile(r"Connection refused|No such file or directory|timeout expired|unreachable|No route to host"),
        _say_not_running,
    ),
)
"""What libpq and the server say where there is no connection. What a server says in another language fits none."""
