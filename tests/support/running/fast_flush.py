"""Emptying the tables after a test that commits: those that hold rows, not all, and without what migrations leave.

Django truncates every table and then creates content types and permissions anew, a quarter of a second for each test.
"""

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.test import TransactionTestCase

_KEPT = (Permission, ContentType)
_kept_ids: dict[str, list[list[int]]] = {}
_flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


def install_fast_flush() -> None:
    """Have every test that commits end with it. Whatever is not as usual is left to Django."""
    TransactionTestCase._fixture_teardown = _empty_tables  # type: ignore[attr-defined]


def _empty_tables(self: Any) -> None:
    aliases = list(self._databases_names(include_mirrors=False))
    is_usual = not (self.serialized_rollback or self.available_apps is not None or self.reset_sequences)
    if not is_usual or not all(_empty(alias) for alias in aliases):
        _flush(self)
        for alias in aliases:
            _kept_ids[alias] = _list_kept_ids(alias)


def _empty(alias: str) -> bool:
    """Empty the tables of a database; return False if nothing was done, since it is not as the migrations left it."""
    connection = connections[alias]
    try:
        if alias not in _kept_ids or _list_kept_ids(alias) != _kept_ids[alias]:
            return False
        kept = {MigrationRecorder.Migration._meta.db_table, *(model._meta.db_table for model in _KEPT)}
        tables = sorted(set(connection.introspection.django_table_names()) - kept)
        with transaction.atomic(using=alias), connection.cursor() as cursor:
            # Foreign keys are deferred: the order does not matter.
            holding = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
            cursor.execute(holding)
            for (table,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {table}")
    except DatabaseError:
        return False
    return True


def _list_kept_ids(alias: str) -> list[list[int]]:
    return [list(model.objects.using(alias).order_by("pk").values_list("pk", flat=True)) for model in _KEPT]
