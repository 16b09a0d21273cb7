"""Where this project reads and writes."""

from typing import Any

from django.db.models import Model


class ReplicaRouter:
    """Sends reads to the replica: of the engine's models all, of others those that begin at one of the engine's rows.

    People and sessions are read where they are written: what they say of who may come in must not lag.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        origin = hints.get("instance", model)
        return "replica" if "django_wfe" in (model._meta.app_label, origin._meta.app_label) else "default"

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return "default"
