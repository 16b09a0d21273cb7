"""The history of a Job and of a Workflow: who did what, when; and what a Job's steps printed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.acting import Deed, Source
from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel, ForeignKey
from django_wfe.models.jobs import Job, StepRun
from django_wfe.models.workflows import Workflow
from django_wfe.values.sentences import read


class JobEvent(Deed):
    """One append-only line of a Job's history."""

    class Kind(models.TextChoices):
        """What happened."""

        STARTED = "started", _("started")
        INPUT_PROVIDED = "input_provided", _("input provided")
        ASSIGNED = "claimed", _("assigned")
        RELEASED = "released", _("assignment released")
        TAKEN_OVER = "taken_over", _("assignment taken over")
        HANDED_OVER = "handed_over", _("assigned to somebody else")
        INPUT_REFUSED = "input_refused", _("stored input no longer valid")
        STEP_FAILED = "step_failed", _("step failed")
        STEP_LOST = "step_lost", _("step lost its worker")
        RETRY_SCHEDULED = "retry_scheduled", _("retry scheduled")
        PARKED = "parked", _("parked: code not loaded")
        FAILED = "failed", _("failed")
        FINISHED = "finished", _("finished")
        CANCELED = "canceled", _("canceled")
        PAUSED = "paused", _("paused")
        RESUMED = "resumed", _("resumed")
        RETRIED = "retried", _("retried")
        SKIPPED = "skipped", _("skipped")
        RERUN = "rerun", _("run again from an earlier step")
        ADOPTED = "adopted", _("taken over from django-wfe 1.x")

    Source = Source

    job = ForeignKey(
        Job,
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="events",
        db_constraint=False,  # as StepRun.job
    )
    step_run = ForeignKey(
        StepRun,
        verbose_name=_("step run"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        # Both belong to one Job and go with it; nothing looks events up by it.
        db_constraint=False,
        db_index=False,
    )
    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices)
    actor = ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,  # wfe_event_actor, without the engine's own
    )
    source = models.CharField(_("source"), max_length=16, choices=Source.choices, default=Source.ENGINE)
    data: Any = models.JSONField(_("data"), default=dict, blank=True)
    created_at = MomentField(_("created"), db_default=Now())

    words_of_verbs: ClassVar[dict[str, Any]] = {}
    """The words for the kinds that verbs of the project write; whoever registers a verb adds to them."""

    class Meta:
        verbose_name = _("job event")
        verbose_name_plural = _("job events")
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["actor"], name="wfe_event_actor", condition=Q(actor__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.job_id})"

    @property
    def detail(self) -> str:
        """Why it happened, as the engine found it, in the reader's language; "" if the engine told nothing."""
        data = self.data if isinstance(self.data, dict) else {}
        return read(data.get("sentence"), str(data.get("detail", "")))

    def get_kind_display(self) -> str:
        """Return what happened in words; the plain kind if it was written by a verb that there is no longer."""
        if self.kind in self.Kind.values:
            return str(self.Kind(self.kind).label)
        return str(self.words_of_verbs.get(self.kind, self.kind))


class WorkflowEvent(Deed):
    """One append-only line of what operators did to a whole Workflow."""

    class Kind(models.TextChoices):
        """What was done."""

        PAUSED = "paused", _("paused")
        RESUMED = "resumed", _("resumed")

    workflow = ForeignKey(Workflow, verbose_name=_("workflow"), on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices)
    reason = models.TextField(_("reason"), blank=True)
    created_at = MomentField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("workflow event")
        verbose_name_plural = _("workflow events")
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.workflow_id})"


class JobLog(EngineModel):
    """A piece of what a step run printed or logged; ``sequence`` orders them from 0."""

    step_run = ForeignKey(
        StepRun,
        verbose_name=_("step run"),
        on_delete=models.CASCADE,
        related_name="logs",
        db_index=False,  # the unique constraint's index begins with it
    )
    sequence = models.IntegerField(_("sequence"))
    text = models.TextField(_("text"))
    created_at = MomentField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("job log")
        verbose_name_plural = _("job logs")
        ordering: ClassVar[list[str]] = ["step_run", "sequence"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["step_run", "sequence"], name="wfe_job_log_unique")
        ]

    def __str__(self) -> str:
        return f"{self.step_run_id}/{self.sequence}"
