"""The driver that Django uses here, psycopg2 or psycopg 3, for connections that are none of Django's."""

from typing import Any

from django.db.backends.postgresql.base import Database
from django.db.backends.postgresql.psycopg_any import is_psycopg3

__all__ = ["DriverError", "connect", "is_psycopg3"]

DriverError: type[Exception] = Database.Error


def connect(**parameters: Any) -> Any:
    """Open a connection. Both drivers take ``dbname``, ``host``, ``port``, ``user`` and ``password``."""
    return Database.connect(**parameters)
