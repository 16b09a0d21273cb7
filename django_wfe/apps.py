"""The Django app."""

from __future__ import annotations

from types import ModuleType

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.utils.translation import gettext_lazy as _

from django_wfe.checks.broker_settings import require_buildable_broker


class DjangoWFEConfig(AppConfig):
    """Workflow engine."""

    name = "django_wfe"
    verbose_name = _("Workflow console")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        """Report what is wrong with ``DRAMATIQ_BROKER`` before django_dramatiq fails on it, if that app comes later."""
        super().__init__(app_name, app_module)
        if _comes_later("django_dramatiq"):
            require_buildable_broker()

    def ready(self) -> None:
        """Make the checks known, and let this process load definitions that it lacks."""
        from django.db.backends.signals import connection_created
        from django.db.models.signals import pre_delete

        from django_wfe.checks.project_checks import register_checks
        from django_wfe.discovery import reload_if_changed
        from django_wfe.engine.isolation.sessions import note_connection
        from django_wfe.engine.project_code.classes import install_reloader
        from django_wfe.engine.statistics.deleting import note_deletion
        from django_wfe.models import Job

        register_checks()
        connection_created.connect(note_connection, dispatch_uid="django_wfe")
        pre_delete.connect(note_deletion, sender=Job, dispatch_uid="django_wfe")
        install_reloader(reload_if_changed)


def _comes_later(app: str) -> bool:
    is_named = any(entry == app or entry.startswith(f"{app}.") for entry in django_settings.INSTALLED_APPS)
    return is_named and app not in apps.app_configs
