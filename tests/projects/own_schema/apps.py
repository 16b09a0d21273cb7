from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class StaffConfig(AppConfig):
    name = "tests.projects.own_schema"
    label = "staff"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(let_ids_begin_high, sender=self)


def let_ids_begin_high(using: str, **kwargs: Any) -> None:
    """Have every id be one that is written with a point between its digits."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'shop' AND last_value IS NULL")
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER SEQUENCE shop."{name}" RESTART WITH 5000')
