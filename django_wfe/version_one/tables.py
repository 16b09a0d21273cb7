"""The tables of django-wfe 1.x: how they are known, and how they make room for those of this version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

PREFIX = "django_wfe_"
ASIDE = "django_wfe1_"
"""What the names of the old tables begin with once they are set aside; their data stays as it was."""

LONGEST_NAME = 63
"""How many bytes PostgreSQL keeps of a name."""

Columns = Mapping[str, frozenset[str]]

_NAMED = frozenset({"id", "name", "path"})
_BASIC_JOB = frozenset({"id", "workflow_id", "storage", "state"})
_STEP_BY_ID = _BASIC_JOB | {"current_step_id"}

SHAPES: tuple[dict[str, frozenset[str]], ...] = (
    # What each migration of 1.x left, the oldest first: the app inside its first project, then 0001, 0002 and 0003.
    {"step": _NAMED, "workflow": _NAMED, "job": _STEP_BY_ID},
    {
        "step": _NAMED,
        "workflow": _NAMED,
        "watchdog": frozenset({"id", "running"}),
        "job": _STEP_BY_ID | {"current_step_number"},
    },
    {
        "step": _NAMED,
        "workflow": _NAMED,
        "watchdog": frozenset({"id", "running"}),
        "job": _STEP_BY_ID | {"current_step_number", "logfile", "uuid"},
    },
    {
        "workflow": _NAMED | {"deleted"},
        "watchdog": frozenset({"id", "running"}),
        "job": _BASIC_JOB | {"current_step", "current_step_number", "logfile", "uuid"},
    },
)

TABLES_OF_BOTH = frozenset({"step", "workflow", "job"})
"""What both versions have; 1.x had "watchdog" besides, and this version has more."""

OWN_TABLES = frozenset(
    {"bulkitem", "bulkrun", "definition", "definitionmodule", "inputclaim", "jobevent", "joblog", "steprun"}
    | {"worker", "workflowevent"}
)
"""The tables that only this version makes, by its first migration."""

_READ_COLUMNS = """
SELECT relation.relname, attribute.attname
FROM pg_class AS relation JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
WHERE relation.relkind IN ('r', 'p') AND relation.relnamespace = current_schema()::regnamespace
    AND attribute.attnum > 0 AND NOT attribute.attisdropped AND relation.relname LIKE %s
"""

_READ_PARTS = """
SELECT part.relkind, part.relname
FROM pg_class AS part
WHERE part.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %s::regclass)
    OR (part.relkind = 'S' AND part.oid IN (
        SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refobjid = %s::regclass))
"""


def read_columns(cursor: Any, prefix: str = PREFIX) -> dict[str, frozenset[str]]:
    """Return the columns of each table whose name begins with ``prefix``, by the rest of its name."""
    cursor.execute(_READ_COLUMNS, [f"{prefix.replace('_', chr(92) + '_')}%"])
    columns: dict[str, set[str]] = {}
    for table, column in cursor.fetchall():
        columns.setdefault(table.removeprefix(prefix), set()).add(column)
    return {table: frozenset(names) for table, names in columns.items()}


def is_version_one(found: Columns) -> bool:
    """Return whether the tables that start with the app's name are those of 1.x, whole and nothing of this version.

    Raises:
        CommandError: they are neither 1.x's nor this version's; the message says what to do.
    """
    old = {name: columns for name, columns in found.items() if name in TABLES_OF_BOTH | {"watchdog"}}
    new = sorted(found.keys() & OWN_TABLES)
    is_old = "storage" in found.get("job", frozenset()) or "watchdog" in found
    if not is_old:
        if old and not new and "definition_id" not in found.get("job", frozenset()):
            raise _refuse(_describe(old))
        return False
    if new:
        raise _refuse(
            f"there are tables of django-wfe 1.x ({_list(old)}) beside tables of this version ({_list(new)}): "
            "an upgrade was begun by other means"
        )
    if old not in SHAPES:
        raise _refuse(_describe(old))
    return True


def set_aside(cursor: Any, quote: Any, found: Columns) -> list[str]:
    """Rename the tables of 1.x with their indexes and sequences, and return the new names of the tables.

    Raises:
        CommandError: tables of these names are there already.
    """
    taken = read_columns(cursor, ASIDE)
    if taken:
        raise _refuse(f"there are {_list(ASIDE + name for name in taken)} already, from an upgrade before")
    moved = []
    for name in sorted(found.keys() & (TABLES_OF_BOTH | {"watchdog"})):
        table = PREFIX + name
        cursor.execute(_READ_PARTS, [quote(table), quote(table)])
        for kind, part in cursor.fetchall():
            if part.startswith(PREFIX):
                what = "SEQUENCE" if kind == "S" else "INDEX"
                cursor.execute(f"ALTER {what} {quote(part)} RENAME TO {quote(_rename(part))}")
        cursor.execute(f"ALTER TABLE {quote(table)} RENAME TO {quote(_rename(table))}")
        moved.append(_rename(table))
    return moved


def refuse_missing() -> CommandError:
    """Return what to raise if the history of migrations tells of tables, and there are none."""
    return CommandError(
        "django-wfe: django_migrations says that its first migration is applied, but its tables are not there. If they "
        "were dropped on purpose, delete the rows (DELETE FROM django_migrations WHERE app = 'django_wfe') and run "
        "migrate again; otherwise restore the database."
    )


def refuse_filled() -> CommandError:
    """Return what to raise if Jobs of 1.x wait to be copied, and the new tables have been used already."""
    return CommandError(
        f"django-wfe: the jobs of 1.x in {ASIDE}job are not copied yet, and the new tables have rows already, whose "
        "ids theirs may be. To copy them, empty the new tables first (migrate django_wfe zero, then migrate). To do "
        f"without them, rename the tables {ASIDE}… and run migrate again."
    )


def _rename(name: str) -> str:
    return (ASIDE + name.removeprefix(PREFIX))[:LONGEST_NAME]


def _refuse(reason: str) -> CommandError:
    return CommandError(
        f"django-wfe cannot take over what it finds in the database: {reason}. Nothing was changed. Rename those "
        "tables with their indexes (ALTER TABLE django_wfe_job RENAME TO kept_job, and so on), or move them to another "
        "schema (ALTER TABLE django_wfe_job SET SCHEMA kept, which takes the indexes along); delete the rows of the "
        "app (DELETE FROM django_migrations WHERE app = 'django_wfe'), and run migrate again: it then makes its tables "
        "anew. What is in the old ones stays there."
    )


def _describe(old: Columns) -> str:
    told = "; ".join(f"{PREFIX}{name} ({', '.join(sorted(columns))})" for name, columns in sorted(old.items()))
    return f"these tables have a form that no version of it made: {told}"


def _list(names: Any) -> str:
    return ", ".join(name if name.startswith("django_wfe") else PREFIX + name for name in sorted(names))
