"""One operator's verb over many Jobs: BulkRun, and what came of it for each Job."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.acting import Deed, Source
from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel, ForeignKey
from django_wfe.models.jobs import Job
from django_wfe.models.workflows import Workflow
from django_wfe.values.sentences import read


class BulkRun(Deed):
    """A verb that is applied to a fixed list of Jobs, one after another, by the workers. Resumable at any point."""

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "WAITING", _("waiting")
        RUNNING = "RUNNING", _("running")
        FINISHED = "FINISHED", _("finished")
        STOPPED = "STOPPED", _("stopped")

    LIVE_STATES: ClassVar = (State.WAITING, State.RUNNING)

    ANY_FAILURE: ClassVar = "*"
    """In the place of a fingerprint: it stops when one of its Jobs fails again, in whichever way."""

    verb = models.CharField(_("verb"), max_length=32)
    options: Any = models.JSONField(_("options"), default=dict, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.WAITING)
    stop_on_fingerprint = models.CharField(
        _("stop on incident"),
        max_length=64,
        blank=True,
        help_text=_("It stops by itself when a failure with this fingerprint comes back in one of its Jobs."),
    )
    stops_also_on: Any = models.JSONField(
        _("stops also on"),
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        editable=False,
        help_text=_("Further fingerprints: each failure at one of their places counts."),
    )
    # The sentence of a release before 2.0.0 whose events cannot tell it. Since then ``wording.bulk_stops`` makes it.
    stop_reason = models.TextField(_("why it stopped"), blank=True)
    is_trusted = models.BooleanField(
        _("trusted"),
        default=False,
        db_default=False,
        help_text=_("Started by code, for no user: no permission is asked for."),
    )
    workflow = ForeignKey(
        Workflow,
        verbose_name=_("workflow"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        help_text=_("The workflow that its entries without a job are about; it decides who sees them."),
    )
    total = models.PositiveIntegerField(_("jobs"), default=0)
    shares: Any = models.JSONField(
        _("shares"),
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text=_("How many of the jobs belong to each workflow, by the workflow's id."),
    )
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


class BulkEvent(Deed):
    """One append-only line of a BulkRun's history."""

    class Kind(models.TextChoices):
        """What happened."""

        STOPPED = "stopped", _("stopped")
        ACTOR_GONE = "actor_gone", _("stopped by itself: the user who started it no longer exists")
        ACTOR_INACTIVE = "actor_inactive", _("stopped by itself: the user who started it is no longer active")
        RETURNED = "returned", _("stopped by itself: the failure came back")

    bulk_run = ForeignKey(BulkRun, verbose_name=_("bulk run"), on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    source = models.CharField(_("source"), max_length=16, choices=Source.choices, default=Source.ENGINE)
    reason = models.TextField(_("reason"), blank=True)
    data: Any = models.JSONField(_("data"), default=dict, db_default=Value({}, models.JSONField()), blank=True)
    created_at = MomentField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("bulk event")
        verbose_name_plural = _("bulk events")
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.bulk_run_id})"


class BulkItem(EngineModel):
    """One entry of a BulkRun, and what came of the verb. It is a Job, or stands for what has none yet under a key."""

    class State(models.TextChoices):
        """What came of it."""

        PENDING = "PENDING", _("pending")
        DONE = "DONE", _("done")
        REFUSED = "REFUSED", _("left alone")

    bulk_run = ForeignKey(
        BulkRun, verbose_name=_("bulk run"), on_delete=models.CASCADE, related_name="items", db_index=False
    )
    job = ForeignKey(Job, verbose_name=_("job"), null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(
        _("key"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text=_("Names an entry that has no job; unique within the bulk run."),
    )
    options: Any = models.JSONField(
        _("options"),
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text=_("What the verb takes for this entry alone."),
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.PENDING)
    message = models.TextField(_("message"), blank=True)
    sentence: Any = models.JSONField(
        _("sentence"),
        null=True,
        blank=True,
        help_text=_("The message in translatable form."),
    )

    class Meta:
        verbose_name = _("bulk item")
        verbose_name_plural = _("bulk items")
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["bulk_run", "job"], name="wfe_bulk_item_unique"),
            models.UniqueConstraint(fields=["bulk_run", "key"], name="wfe_bulk_item_key", condition=~Q(key="")),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["bulk_run", "id"], name="wfe_bulk_pending", condition=Q(state="PENDING"))
        ]

    def __str__(self) -> str:
        return f"{self.bulk_run_id}/{self.job_id or self.key}"

    @property
    def refusal(self) -> str:
        """Why the verb left it alone, in the reader's language; "" if it did not."""
        return read(self.sentence, self.message)
