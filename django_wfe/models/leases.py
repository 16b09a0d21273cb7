"""Who leads, of several processes that could do the same."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel


class Lease(EngineModel):
    """The right to lead in one role, for a time. Only ``django_wfe.watchdog.leadership`` writes it.

    ``term`` comes from a sequence: also when the row was deleted by hand no number is given out twice.
    """

    term = models.BigAutoField(_("term"), primary_key=True)
    role = models.CharField(_("role"), max_length=32, unique=True)
    holder = models.UUIDField(_("holder"), null=True, blank=True)
    holder_name = models.CharField(_("holder's name"), max_length=255, blank=True)
    taken_at = MomentField(_("taken"), db_default=Now())
    renewed_at = MomentField(_("renewed"), db_default=Now())
    expires_at = MomentField(_("expires"), db_default=Now())

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        ordering: ClassVar[list[str]] = ["role"]
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return f"{self.role}: {self.holder_name}"
