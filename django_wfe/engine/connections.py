"""Telling a connection that broke from a statement that was refused."""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, OperationalError, connections

from django_wfe.conf import DATABASE


def is_connection_error(error: BaseException) -> bool:
    """Tell whether an error says that the database does not answer, rather than that it refused a statement.

    Where the server went away without a word, as in a crash, psycopg2 may raise the bare DatabaseError, without an
    SQLSTATE. Django raises the bare class for reasons of its own, too, but then no error of the driver is below it.
    """
    # By its type: isinstance() would ask the exception too, which may say or raise anything.
    if issubclass(type(error), (OperationalError, InterfaceError)):
        return True
    cause = error.__cause__
    return type(error) is DatabaseError and cause is not None and getattr(cause, "pgcode", None) is None


def is_connection_broken() -> bool:
    """Tell whether this thread's connection is gone, by asking the database.

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
        return getattr(error, "pgcode", None) is None
    return False
