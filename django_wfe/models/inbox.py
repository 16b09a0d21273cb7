"""Who has taken on an open question, and what was typed so far."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel, ForeignKey, OneToOneField
from django_wfe.models.jobs import StepRun


class Assignment(EngineModel):
    """What people do about a step run that waits for input. Only few step runs have one, and only while they wait.

    ``user`` is None if it is nobody's (any more), and the row is kept for its draft.
    """

    step_run = OneToOneField(StepRun, verbose_name=_("step run"), on_delete=models.CASCADE, related_name="assignment")
    user = ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("assigned to"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    assigned_at = MomentField(_("assigned"), null=True, blank=True, db_column="claimed_at")
    draft: Any = models.JSONField(_("draft"), null=True, blank=True)
    drafted_by = ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("draft by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,  # nobody looks for the drafts of a person
    )
    drafted_at = MomentField(_("draft saved"), null=True, blank=True)

    class Meta:
        db_table = (
            "django_wfe_inputclaim"  # the table and its column keep their names: workers of before an upgrade use them
        )
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.step_run_id}: {self.user_id}"
