"""The modules that ``WFE_WORKFLOWS`` names, and how reading them went."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel


class DefinitionModule(EngineModel):
    """One module of ``WFE_WORKFLOWS``, and why its latest reading failed. Only discovery writes it."""

    path = models.CharField(_("path"), max_length=255, unique=True, help_text=_("The dotted path of the module."))
    workflows: Any = models.JSONField(
        _("workflows"),
        default=list,
        blank=True,
        help_text=_("The paths of the workflows that it named when it could last be read."),
    )
    error = models.TextField(_("error"), blank=True, help_text=_("Why it could not be read, or what is wrong in it."))
    synced_at = MomentField(_("last read"), db_default=Now())

    class Meta:
        verbose_name = _("definition module")
        verbose_name_plural = _("definition modules")
        ordering: ClassVar[list[str]] = ["path"]

    def __str__(self) -> str:
        return self.path
