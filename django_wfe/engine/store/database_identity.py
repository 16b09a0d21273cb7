"""Which database a message is about: of two projects on one broker, neither takes the other's messages in silence."""

from __future__ import annotations

import hashlib
import threading
import time

from django.db import connections

from django_wfe.conf import DATABASE

KNOWN_SECONDS = 60.0
"""For how long the answer is kept: a failover or an upgrade of the server may change it under a running process."""

_ASK = """
SELECT current_database(), (SELECT oid FROM pg_database WHERE datname = current_database())::bigint,
    has_function_privilege('pg_control_system()', 'EXECUTE')
"""

_lock = threading.Lock()
_known: dict[tuple[str, ...], tuple[float, str]] = {}


def get_database_identity() -> str:
    """Return the database's name, "/" and what tells it from others of this name, such as "shop/3f2a9c1d04be".

    It is one for all processes, whatever way they connect, and another for a copy in another database or server.
    Asks the database once in ``KNOWN_SECONDS``.

    Raises:
        django.db.Error: the database does not answer.
    """
    settings = connections[DATABASE].settings_dict
    place = (str(settings["HOST"]), str(settings["PORT"]), str(settings["NAME"]))
    known = _known.get(place)
    if known is not None and time.monotonic() - known[0] < KNOWN_SECONDS:
        return known[1]
    identity = _ask()
    with _lock:
        _known[place] = (time.monotonic(), identity)
    return identity


def forget_database_identity() -> None:
    """Let the next look ask the database."""
    with _lock:
        _known.clear()


def _ask() -> str:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_ASK)
        name, number, may_ask = cursor.fetchone()
        system = 0
        if may_ask:
            # The number that initdb gave the server's files: each server's own, and the same on its replicas.
            cursor.execute("SELECT system_identifier FROM pg_control_system()")
            (system,) = cursor.fetchone()
    return f"{name}/{hashlib.sha256(f'{system} {number}'.encode()).hexdigest()[:12]}"
