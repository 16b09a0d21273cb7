"""What the migrations do with a database of django-wfe 1.x, and nothing with any other.

Django knows a migration by its app and name alone. A database of 1.x says that ``0001_initial`` is applied, so ours is
passed over; the take-over comes right after it in the graph, before anything that changes the tables, and makes up for
it. All is done in the transaction of the migration.
"""

from __future__ import annotations

from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from django_wfe.version_one.copying import copy_into, needs_copy
from django_wfe.version_one.tables import ASIDE, is_version_one, read_columns, refuse_missing, set_aside


class _DataOperation(Operation):
    """Changes no model, and cannot be written down as SQL beforehand."""

    reduces_to_sql = False
    reversible = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        pass


class SetAside(_DataOperation):
    """Before the first tables are made: those of 1.x that no migration tells of make room."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Rename the tables of 1.x, if there are any."""
        if not _is_here(app_label, schema_editor):
            return
        with schema_editor.connection.cursor() as cursor:
            found = read_columns(cursor)
            if is_version_one(found):
                set_aside(cursor, schema_editor.quote_name, found)

    def describe(self) -> str:
        """Describe what it does."""
        return "Set tables of django-wfe 1.x aside, if there are any"


class TakeOver(_DataOperation):
    """After the first migration, whosever it was: make the tables if they are not ours, and copy the old Jobs."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Take over what is of 1.x."""
        if not _is_here(app_label, schema_editor):
            return
        with schema_editor.connection.cursor() as cursor:
            found = read_columns(cursor)
            if is_version_one(found):
                set_aside(cursor, schema_editor.quote_name, found)
                for model in from_state.apps.get_app_config(app_label).get_models():
                    schema_editor.create_model(model)
            elif "job" not in found:
                raise refuse_missing()
            old = read_columns(cursor, ASIDE)
            if old and needs_copy(cursor):
                copy_into(cursor, schema_editor.quote_name, old)

    def describe(self) -> str:
        """Describe what it does."""
        return f"Take over the jobs of django-wfe 1.x, if there are any, and keep its tables as {ASIDE}…"


def _is_here(app_label: str, schema_editor: Any) -> bool:
    connection = schema_editor.connection
    return connection.vendor == "postgresql" and router.allow_migrate(connection.alias, app_label)


__all__ = ["SetAside", "TakeOver"]
