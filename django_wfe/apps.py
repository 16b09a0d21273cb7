"""The Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DjangoWFEConfig(AppConfig):
    """Workflow engine."""

    name = "django_wfe"
    verbose_name = _("Workflows")
    default_auto_field = "django.db.models.BigAutoField"
