"""The field of the engine's times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.db import models

from django_wfe.values.moments import build_moment

if TYPE_CHECKING or django_settings.USE_TZ:
    MomentField = models.DateTimeField
else:

    class MomentField(models.DateTimeField):
        """A time that is read as an instant and held as the local time, with ``fold`` in the hour that is doubled.

        Only a project without time zones has it: the driver would drop the offset. For migrations it is Django's.
        """

        def deconstruct(self) -> tuple[str, str, Iterable[Any], dict[str, Any]]:
            """Return Django's own class in the place of this one."""
            name, _, args, kwargs = super().deconstruct()
            return name, "django.db.models.DateTimeField", args, kwargs

        def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
            """Have the instant selected, except where the database itself goes on with the time."""
            if compiler.query.subquery:
                return sql, params
            return f"(EXTRACT(EPOCH FROM {sql}) * 1000000)::bigint", params

        def from_db_value(self, value: Any, expression: Any, connection: Any) -> datetime | None:
            """Return the local time."""
            return build_moment(value) if isinstance(value, int) else value
