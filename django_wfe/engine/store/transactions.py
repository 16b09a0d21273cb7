"""The engine's own transactions: READ COMMITTED, whatever the project or its database has for default.

Each statement of the engine must see what others have committed meanwhile. Under REPEATABLE READ one that waited for
somebody's lock would fail in its place, and a page or a verb with it. A statement that is a transaction by itself is
sent again then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from django.db import OperationalError, connections, transaction

from django_wfe.conf import DATABASE
from django_wfe.engine.errors.database_errors import get_sqlstate
from django_wfe.engine.store.prepared import Statement, fetch_row

CONFLICT = "40001"
"""The SQLSTATE of a statement that waited for somebody's lock and may not see what they have committed."""

ATTEMPTS = 20

_is_strict: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""Whether the transactions of a session begin as something else, by the driver's connection."""


@contextmanager
def atomic() -> Iterator[None]:
    """Run a block in a transaction on the engine's database, or in a savepoint of the one that is open.

    An open transaction keeps its isolation: that is the choice of whoever opened it.
    """
    connection = connections[DATABASE]
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=DATABASE):
        if is_outermost:
            _read_what_is_committed(connection)
        yield


def _read_what_is_committed(connection: Any) -> None:
    is_strict = _is_strict.get(connection.connection)
    if is_strict is False:
        return
    with connection.cursor() as cursor:
        if is_strict is None:
            cursor.execute("SHOW transaction_isolation")
            is_strict = cursor.fetchone()[0] != "read committed"
            _is_strict[connection.connection] = is_strict
        if is_strict:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def fetch_committed_row(statement: Statement, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run a statement as ``fetch_row`` does, and again where it conflicted with another, outside of a transaction."""
    for _attempt in range(ATTEMPTS):
        try:
            return fetch_row(statement, parameters)
        except OperationalError as error:
            if get_sqlstate(error) != CONFLICT or connections[DATABASE].in_atomic_block:
                raise
    return fetch_row(statement, parameters)
