"""Who did something, and from where: the columns that every row about a deed has."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_wfe.models.database import EngineModel, ForeignKey


class Source(models.TextChoices):
    """Where a call came from."""

    ENGINE = "engine", _("engine")
    PYTHON = "python", _("Python")
    ADMIN = "admin", _("admin")
    REST = "rest", _("REST")
    COMMAND = "command", _("command")


class Deed(EngineModel):
    """A row about what somebody did. ``actor_name`` stays when the user is deleted."""

    actor = ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    actor_name = models.CharField(_("actor's name"), max_length=255, blank=True)
    source = models.CharField(_("source"), max_length=16, choices=Source.choices, default=Source.PYTHON)

    class Meta(EngineModel.Meta):
        abstract = True
