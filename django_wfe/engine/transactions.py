"""The engine's own transactions: READ COMMITTED, whatever the project or its database has for default.

Each statement of the engine must see what others have committed meanwhile. Under REPEATABLE READ one that waited for
somebody's lock would fail in its place, and a page or a verb with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections, transaction

from django_wfe.conf import DATABASE

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
