"""The driver that Django uses here, psycopg2 or psycopg 3, for connections that are none of Django's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.backends.postgresql.base import Database
from django.db.backends.postgresql.psycopg_any import is_psycopg3

__all__ = ["DriverError", "connect", "is_psycopg3", "needing_psycopg3"]

DriverError: type[Exception] = Database.Error


def connect(**parameters: Any) -> Any:
    """Open a connection. Both drivers take ``dbname``, ``host``, ``port``, ``user`` and ``password``."""
    return Database.connect(**parameters)


@contextmanager
def needing_psycopg3(_project: object) -> Iterator[None]:
    """Skip what can only be had with psycopg 3 where Django does not use it."""
    if not is_psycopg3:
        pytest.skip("Django uses psycopg2 here, and this needs psycopg 3 (make test DRIVER=psycopg3)")
    yield
