"""Which rows left the database as a file, and with whom: Export."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.acting import Deed
from django_wfe.models.columns.moments import MomentField


class Export(Deed):
    """One append-only line: who exported what."""

    class Kind(models.TextChoices):
        """What was exported."""

        JOBS = "jobs", _("jobs")
        STEP_RUNS = "step_runs", _("step runs")
        STEP_RUNS_WITH_DATA = "step_runs_with_data", _("step runs with their data")

    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices)
    file_format = models.CharField(_("format"), max_length=16, help_text=_("The ending of the file's name."))
    query = models.TextField(_("filter"), blank=True, help_text=_("The query string of the list that was exported."))
    total = models.PositiveIntegerField(_("rows"), default=0)
    shares: Any = models.JSONField(
        _("shares"),
        default=dict,
        blank=True,
        help_text=_("How many of the rows belong to each workflow, by the workflow's id."),
    )
    created_at = MomentField(_("created"), db_default=Now())

    class Meta:
        verbose_name = pgettext_lazy("what was exported", "export")
        verbose_name_plural = pgettext_lazy("what was exported", "exports")
        ordering: ClassVar[list[str]] = ["-id"]
        default_permissions: ClassVar[tuple[str, ...]] = ("view",)

    def __str__(self) -> str:
        return gettext("Export %(id)s") % {"id": self.pk}
