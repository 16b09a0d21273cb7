"""The Django app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_wfe.engine.dispatcher import Dispatcher


class DjangoWFEConfig(AppConfig):
    """Workflow engine."""

    name = "django_wfe"
    verbose_name = _("Workflows")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the checks known, and let this process load definitions that it lacks."""
        from django.db.backends.signals import connection_created

        from django_wfe.checks import register_checks
        from django_wfe.discovery import reload_if_changed
        from django_wfe.engine.code import install_reloader
        from django_wfe.engine.dispatcher import install_dispatcher_factory
        from django_wfe.engine.sessions import note_connection

        register_checks()
        connection_created.connect(note_connection, dispatch_uid="django_wfe")
        install_reloader(reload_if_changed)
        install_dispatcher_factory(_make_dispatcher)


def _make_dispatcher() -> Dispatcher:
    # The actor is declared by the module, on the broker that is set by then.
    from django_wfe.tasks import DramatiqDispatcher

    return DramatiqDispatcher()
