"""One operator's verb over many Jobs: BulkRun, and what came of it for each Job."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_wfe.models.database import EngineModel, ForeignKey
from django_wfe.models.events import JobEvent
from django_wfe.models.jobs import Job
from django_wfe.models.moments import MomentField


class BulkRun(EngineModel):
    """A verb that is applied to a fixed list of Jobs, one after another, by the workers. Resumable at any point."""

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "WAITING", _("waiting")
        RUNNING = "RUNNING", _("running")
        FINISHED = "FINISHED", _("finished")
        STOPPED = "STOPPED", _("stopped")

    verb = models.CharField(_("verb"), max_length=16)
    options: Any = models.JSONField(_("options"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.WAITING)
    stop_on_fingerprint = models.CharField(
        _("stop on incident"),
        max_length=64,
        blank=True,
        help_text=_("It stops by itself when a failure with this fingerprint comes back in one of its Jobs."),
    )
    stop_reason = models.TextField(_("why it stopped"), blank=True)
    actor = ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    actor_name = models.CharField(_("actor's name"), max_length=255, blank=True)
    source = models.CharField(
        _("source"), max_length=16, choices=JobEvent.Source.choices, default=JobEvent.Source.PYTHON
    )
    total = models.PositiveIntegerField(_("jobs"), default=0)
    created_at = MomentField(_("created"), db_default=Now())
    touched_at = MomentField(_("last worked on"), db_default=Now())
    finished_at = MomentField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("bulk run")
        verbose_name_plural = _("bulk runs")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["touched_at"], name="wfe_bulk_live", condition=Q(state__in=["WAITING", "RUNNING"]))
        ]

    def __str__(self) -> str:
        return gettext("Bulk run %(id)s") % {"id": self.pk}


class BulkItem(EngineModel):
    """One Job of a BulkRun, and what came of the verb."""

    class State(models.TextChoices):
        """What came of it."""

        PENDING = "PENDING", _("pending")
        DONE = "DONE", _("done")
        REFUSED = "REFUSED", _("left alone")

    bulk_run = ForeignKey(
        BulkRun, verbose_name=_("bulk run"), on_delete=models.CASCADE, related_name="items", db_index=False
    )
    job = ForeignKey(Job, verbose_name=_("job"), on_delete=models.CASCADE, related_name="+")
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.PENDING)
    message = models.TextField(_("message"), blank=True)

    class Meta:
        verbose_name = _("bulk item")
        verbose_name_plural = _("bulk items")
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["bulk_run", "job"], name="wfe_bulk_item_unique")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["bulk_run", "id"], name="wfe_bulk_pending", condition=Q(state="PENDING"))
        ]

    def __str__(self) -> str:
        return f"{self.bulk_run_id}/{self.job_id}"
