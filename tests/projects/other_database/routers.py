"""Where this project keeps what."""

from typing import Any

from django.db.models import Model

APPS = {"admin", "auth", "contenttypes", "sessions", "django_wfe"}


class OfficeRouter:
    """People, what they may do, and the engine are in the office's database, and in that alone."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return "office" if model._meta.app_label in APPS else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == "office") == (app_label in APPS)
