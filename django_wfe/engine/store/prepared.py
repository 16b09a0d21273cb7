"""Runs the statements of the hot path as prepared statements: PostgreSQL plans each once a connection.

Planning such a statement takes longer than running it. Behind a pooler that gives each transaction another connection
(PgBouncer in transaction mode) a prepared statement may not be there; Django's own setting for that case,
``DISABLE_SERVER_SIDE_CURSORS``, is heeded here too.

The parameters are always bound on the client's side: the server takes none for ``EXECUTE``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connections

from django_wfe.conf import DATABASE
from django_wfe.engine.errors.database_errors import get_sqlstate
from django_wfe.engine.store.crash_points import cross

TYPES = {
    "actor_id": "unknown",  # as the key of the project's user model: PostgreSQL looks at the column
    "actor_name": "text",
    "attributes": "jsonb",
    "context": "jsonb",
    "created_by_id": "unknown",
    "definition_id": "bigint",
    "epoch": "integer",
    "error": "text",
    "error_type": "text",
    "event_data": "jsonb",
    "event_kind": "text",
    "external_data": "jsonb",
    "fingerprint": "text",
    "id": "bigint",
    "input_within": "double precision",
    "job_error": "text",
    "job_input": "jsonb",
    "job_state": "text",
    "key": "text",
    "log": "text",
    "log_sequence": "integer",
    "next_job_state": "text",
    "next_number": "integer",
    "next_run_state": "text",
    "next_step": "text",
    "path": "text",
    "result": "jsonb",
    "run_state": "text",
    "runnable": "text[]",
    "source": "text",
    "start": "text",
    "state": "text",
    "step": "text",
    "suspects": "boolean",
    "traceback": "text",
    "transition": "integer",
    "uuid": "uuid",
    "version": "text",
    "wait_seconds": "double precision",
    "worker_id": "uuid",
    "workflow_id": "bigint",
}
"""The PostgreSQL type of each parameter that a statement may name."""

FORGOTTEN = frozenset({"26000", "42P05"})
"""The SQLSTATEs that say that the server knows another set of prepared statements than was thought."""

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""What is prepared in each session, by the driver's connection: a pool of psycopg 3 gives the same one out again."""


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement with ``%(name)s`` placeholders, known to PostgreSQL as ``wfe_<name>_<digest of its text>``.

    The digest keeps a session that outlives this process, as poolers have them, from running another version's text.
    """

    name: str
    sql: str
    parameters: tuple[str, ...] = field(init=False)
    before: str = field(init=False)
    after: str = field(init=False)
    prepare: str = field(init=False)
    execute: str = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(dict.fromkeys(_PLACEHOLDER.findall(self.sql)))
        numbered = _PLACEHOLDER.sub(lambda match: f"${names.index(match[1]) + 1}", self.sql)
        types = ", ".join(TYPES[name] for name in names)
        places = ", ".join(f"%({name})s" for name in names)
        known_as = f"wfe_{self.name}_{hashlib.sha256(f'{types} {numbered}'.encode()).hexdigest()[:8]}"
        object.__setattr__(self, "parameters", names)
        object.__setattr__(self, "before", f"before {self.name}")
        object.__setattr__(self, "after", f"after {self.name}")
        object.__setattr__(self, "prepare", f"PREPARE {known_as} ({types}) AS {numbered}")
        object.__setattr__(self, "execute", f"EXECUTE {known_as} ({places})")


def fetch_row(statement: Statement, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run a statement in this thread's connection and return its first row, or None."""
    connection = connections[DATABASE]
    cross(statement.before)
    is_plain = bool(connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"))
    try:
        row = _fetch(connection, statement, parameters, is_plain=is_plain)
    except DatabaseError as error:
        # Somebody's DISCARD ALL or DEALLOCATE, or a pooler that this project's settings do not tell of.
        if is_plain or connection.in_atomic_block or get_sqlstate(error) not in FORGOTTEN:
            raise
        _prepared.pop(connection.connection, None)
        row = _fetch(connection, statement, parameters, is_plain=True)
    cross(statement.after)
    return row


def _fetch(
    connection: Any, statement: Statement, parameters: Mapping[str, Any], *, is_plain: bool
) -> tuple[Any, ...] | None:
    """Use the driver's own cursor where Django's has nothing to watch for, which saves a tenth of a step's time."""
    if connection.in_atomic_block or connection.execute_wrappers or connection.queries_logged:
        with connection.cursor() as cursor:
            return _run(connection, cursor, statement, parameters, is_plain=is_plain)
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        return _run(connection, cursor, statement, parameters, is_plain=is_plain)


def _run(
    connection: Any, cursor: Any, statement: Statement, parameters: Mapping[str, Any], *, is_plain: bool
) -> tuple[Any, ...] | None:
    sql = statement.sql if is_plain else statement.execute
    if not is_plain:
        known = _prepared.get(connection.connection)
        if known is None:
            known = _prepared.setdefault(connection.connection, set())
        if statement.name not in known:
            cursor.execute(statement.prepare)
            known.add(statement.name)
    if connection.settings_dict["OPTIONS"].get("server_side_binding"):
        _execute_bound(connection, cursor, sql, parameters)
    else:
        cursor.execute(sql, parameters)
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _execute_bound(connection: Any, cursor: Any, sql: str, parameters: Mapping[str, Any]) -> None:
    """Execute what is bound here, where the project's setting would have the server bind. psycopg2 knows no setting."""
    # Not at the top: a project without any driver is to be told so by its checks.
    from django.db.backends.postgresql.psycopg_any import is_psycopg3, mogrify

    if is_psycopg3:
        cursor.execute(mogrify(sql, parameters, connection.connection))
    else:
        cursor.execute(sql, parameters)
