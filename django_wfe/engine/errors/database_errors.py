"""What a database error says: that the connection broke, that the statement may pass later, or that it was refused."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_wfe.conf import DATABASE
from django_wfe.engine.errors.tracebacks import get_cause, read_attribute

CONNECT_SECONDS = 5
"""How long to try to reach the server for the cancel of a statement."""

_GONE = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "53300"})
"""The server ended the session, or took none: shut down, crashed, starting, idle for too long, too many connections."""


def get_sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE that the server gave with an error of psycopg2 or psycopg, or of Django's around it."""
    for candidate in (error, get_cause(error)):
        # psycopg2 calls it pgcode, psycopg 3 sqlstate.
        for name in ("pgcode", "sqlstate"):
            state = read_attribute(candidate, name)
            if type(state) is str:
                return state
    return None


def is_connection_error(error: BaseException) -> bool:
    """Return whether an error says that the database does not answer, rather than that it refused a statement.

    The driver's classes do not tell: a conflict at commit, a canceled statement and a broken connection are all of them
    an OperationalError. Where the server went away without a word, as in a crash, psycopg2 may raise the bare
    DatabaseError, without an SQLSTATE. Django raises the bare class for reasons of its own, too, but then no error of
    the driver is below it.
    """
    state = get_sqlstate(error)
    if state is not None:
        return state.startswith("08") or state in _GONE
    # By its type: isinstance() would ask the exception too, which may say or raise anything.
    if issubclass(type(error), (OperationalError, InterfaceError)):
        return True
    return type(error) is DatabaseError and read_attribute(error.__cause__, "diag") is not None


def may_pass(error: BaseException) -> bool:
    """Return whether the same statement of the engine's may succeed if it is sent again.

    Besides broken connections these are conflicts with others (40001, 40P01), timeouts of a lock or of a statement that
    the project has set (55P03, 57014), and a server that is short of something (class 53).
    """
    state = get_sqlstate(error) or ""
    return is_connection_error(error) or state.startswith(("40", "53")) or state in ("55P03", "57014")


def is_connection_broken() -> bool:
    """Return whether this thread's connection is gone, by asking the database.

    What the driver and libpq say of the connection is no use: after the first error of a crash they still call it open.
    """
    connection = connections[DATABASE]
    if connection.connection is None or connection.connection.closed:
        return True
    try:
        with connection.connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except connection.Database.Error as error:  # type: ignore[attr-defined]  # the driver, which each backend names
        # To be refused in an aborted transaction is an answer: the connection is sound.
        return get_sqlstate(error) is None
    return False


def cancel_statement(connection: BaseDatabaseWrapper) -> None:
    """Have the server cancel what another thread is waiting for on this connection.

    psycopg2's own ``cancel`` holds the interpreter's lock while it connects, and a server that cannot be reached would
    freeze the process: so that driver's statements are canceled by a session of its own. Behind a pooler that shares
    sessions the server does not know the number that the driver has, and nothing happens.

    Raises:
        what the driver raises, where the server cannot be reached or refuses.
    """
    raw: Any = connection.connection
    if raw is None:
        return
    if hasattr(raw, "cancel_safe"):
        raw.cancel_safe(timeout=CONNECT_SECONDS)
        return
    other = connection.copy()
    other.settings_dict.setdefault("OPTIONS", {}).setdefault("connect_timeout", CONNECT_SECONDS)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_cancel_backend(%s)", [raw.info.backend_pid])
    finally:
        other.close()
