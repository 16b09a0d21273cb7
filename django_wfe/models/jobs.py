"""The executions: Job and StepRun."""

from __future__ import annotations

import os
import uuid
from typing import Any, ClassVar, Self

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe import states
from django_wfe.conf import settings
from django_wfe.definition.graph import START
from django_wfe.models.attributes import JobManager, Subject
from django_wfe.models.columns.keys import KEY_INDEXES
from django_wfe.models.columns.moments import MomentField
from django_wfe.models.columns.payloads import PayloadField
from django_wfe.models.database import EngineModel, ForeignKey
from django_wfe.models.workers import Worker
from django_wfe.models.workflows import Definition, Workflow
from django_wfe.values.identifiers import make_uuid
from django_wfe.values.large_values import resolve
from django_wfe.values.sealing import cover_sealed

# The words of each state, here alone: ``wording.states`` adds the looks.
JOB_STATE_CHOICES = [
    (states.JobState.PENDING.value, _("pending")),
    (states.JobState.ONGOING.value, _("ongoing")),
    (states.JobState.INPUT_REQUIRED.value, _("waiting for input")),
    (states.JobState.INPUT_RECEIVED.value, _("input received")),
    (states.JobState.WAITING.value, _("waiting to try again")),
    (states.JobState.PAUSED.value, _("paused")),
    (states.JobState.FAILED.value, _("failed")),
    (states.JobState.FINISHED.value, _("finished")),
    (states.JobState.CANCELED.value, _("canceled")),
]

STEP_RUN_STATE_CHOICES = [
    (states.StepRunState.READY.value, _("ready to run")),
    (states.StepRunState.RUNNING.value, _("running")),
    (states.StepRunState.INPUT_REQUIRED.value, _("waiting for input")),
    (states.StepRunState.FINISHED.value, _("done")),
    (states.StepRunState.SKIPPED.value, _("skipped")),
    (states.StepRunState.FAILED.value, _("failed")),
    (states.StepRunState.LOST.value, _("lost its worker")),
    (states.StepRunState.CANCELED.value, _("canceled")),
]


def name_job_state(state: str) -> str:
    """Return the name of a Job's state for people, in the current language."""
    return str(dict(JOB_STATE_CHOICES).get(state, state))


KEY_SHOWN = 60
"""The letters of a key that a title shows at most."""

OPEN_JOBS = Q(state__in=sorted(states.OPEN_JOB_STATES))
RARE_JOBS = Q(state__in=sorted({*states.OPEN_JOB_STATES, states.JobState.CANCELED}))
"""All but those that finished."""


class Job(EngineModel):
    """One execution of a Workflow. Only ``django_wfe.engine`` writes it.

    What the hot path writes has no constraints that the engine cannot break, and few indexes: PostgreSQL reads and
    plans each CHECK, and each index with its condition, anew at each statement. An index costs a step some two
    microseconds, used or not.
    """

    uuid = models.UUIDField(_("UUID"), default=make_uuid, unique=True, editable=False)
    workflow = ForeignKey(
        Workflow,
        verbose_name=_("workflow"),
        on_delete=models.PROTECT,
        related_name="jobs",
        db_index=False,  # wfe_job_workflow begins with it
        # The statement of a start holds the Workflow's row. A check would cost it a look-up more.
        db_constraint=False,
    )
    definition = ForeignKey(
        Definition,
        verbose_name=_("definition"),
        on_delete=models.PROTECT,
        related_name="jobs",
        db_index=False,  # nothing looks jobs up by it, and definitions are not deleted
        db_constraint=False,
    )
    state = models.CharField(
        _("state"), max_length=16, choices=JOB_STATE_CHOICES, default=states.JobState.PENDING.value
    )
    current_step = models.CharField(
        _("current step"), max_length=255, default=START, help_text=_("The dotted path of the node it is at.")
    )
    current_step_number = models.IntegerField(_("current step number"), default=0)
    key = models.CharField(  # noqa: DJ001  (unique where given: "" would be a value like others)
        _("key"),
        max_length=255,
        null=True,
        blank=True,
        help_text=_("A second start with the same key gives the first Job."),
    )
    created_by = ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,  # wfe_job_created_by, without the many that code has started
    )
    created_at = MomentField(_("created"), db_default=Now())
    started_at = MomentField(_("started"), null=True, blank=True)
    finished_at = MomentField(_("finished"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True, help_text=_("Why it failed, or what holds it."))

    context: Any = models.JSONField(
        _("context"),
        null=True,
        blank=True,
        help_text=_("What surrounded its start, such as the tenant: WFE_CONTEXT captures and enters it."),
    )

    objects: ClassVar[JobManager[Self]] = JobManager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering: ClassVar[list[str]] = ["-id"]
        permissions = [
            ("provide_input_job", "Can provide input to a job"),
            ("cancel_job", "Can cancel a job"),
            ("pause_job", "Can pause and resume a job"),
            ("retry_job", "Can retry a failed step"),
            ("skip_job", "Can skip a step"),
            ("rerun_job", "Can run a job again from an earlier step"),
            ("view_job_data", "Can view the inputs, results and logs of a job"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["workflow", "key"], condition=Q(key__isnull=False), name="wfe_job_key_unique"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["workflow", "-id"], name="wfe_job_workflow"),
            # What is rare among millions of finished jobs must not be looked for among them.
            models.Index(fields=["state", "-id"], name="wfe_job_rare_state", condition=RARE_JOBS),
            models.Index(fields=["workflow", "-id"], name="wfe_job_open_workflow", condition=OPEN_JOBS),
            models.Index(fields=["-id"], name="wfe_job_open", condition=OPEN_JOBS),
            models.Index(fields=["definition", "state", "-id"], name="wfe_job_open_version", condition=OPEN_JOBS),
            models.Index(fields=["created_by"], name="wfe_job_created_by", condition=Q(created_by__isnull=False)),
            *KEY_INDEXES,
        ]

    def __str__(self) -> str:
        return f"{self.workflow.name}:{self.pk}"

    @property
    def name(self) -> str:
        """What the business calls it: "Order fulfilment · order-4711", or the workflow alone if it has no key."""
        return f"{self.workflow} · {shorten_key(self.key)}" if self.key else str(self.workflow)

    @property
    def title(self) -> str:
        """Its name for people, on every page: "Order fulfilment · order-4711 #4", "Purchase approval #4"."""
        return f"{self.name} #{self.pk}"

    @property
    def storage(self) -> dict[str, list[dict[str, Any]]]:
        """What has run, in order, read anew at each access.

        ``{"data": [{"step": path, "result": ..., "external_data": {...}}, ...]}``, the start first; "external_data"
        only where the step was given any, and with a mask in the place of each secret. Skipped steps stand with the
        result they were given.
        """
        runs = (
            self.step_runs.filter(state__in=sorted(states.RESULT_STEP_RUN_STATES), superseded=False)
            .order_by("number", "attempt")
            .values_list("step", "result", "external_data")
        )
        data: list[dict[str, Any]] = []
        for step, result, external_data in runs:
            # Of results, only that of the start holds what was given.
            found = resolve(result)
            entry = {"step": step, "result": cover_sealed(found) if step == START else found}
            if external_data is not None:
                entry["external_data"] = cover_sealed(resolve(external_data))
            data.append(entry)
        return {"data": data}

    @property
    def attributes(self) -> dict[str, str]:
        """What it is found by, as texts by name; read anew at each access, unless prefetched as ``attribute_rows``."""
        return {row.name: row.value for row in self._list_attribute_rows() if "." not in row.name}

    @property
    def subject(self) -> Subject | None:
        """The project's own row that it is about, as (model, key); ``subject.find_row()`` reads it."""
        rows = (row for row in self._list_attribute_rows() if "." in row.name)
        return next((Subject(row.name, row.value) for row in rows), None)

    def _list_attribute_rows(self) -> list[Any]:
        rows: Any = self.attribute_rows
        return sorted(rows.all(), key=lambda row: str(row.name))

    @property
    def logfile(self) -> str:
        """The path of the job's log file, or "" if ``WFE_LOG_DIR`` is not set."""
        return build_logfile_path(self.workflow.name, self.uuid)


def shorten_key(key: str) -> str:
    """Return a key as a title has room for it: of a long one the beginning and the end."""
    if len(key) <= KEY_SHOWN:
        return key
    kept = (KEY_SHOWN - 1) // 2
    return f"{key[: KEY_SHOWN - 1 - kept]}…{key[-kept:]}"


def build_logfile_path(workflow_name: str, job_uuid: uuid.UUID) -> str:
    """Return the path of a job's log file, or "" if ``WFE_LOG_DIR`` is not set."""
    folder = settings.log_dir
    return os.path.join(folder, f"{workflow_name}_{job_uuid}.log") if folder else ""


class StepRun(EngineModel):
    """One attempt at one node by one Job. Rows are added, never overwritten; only ``django_wfe.engine`` writes them.

    ``number`` counts the nodes that the Job has come by, the start being 0; ``attempt`` counts the tries at this
    number from 1. ``previous`` is the step run whose result is this one's input, unless ``edited_input`` replaces it.
    """

    job = ForeignKey(
        Job,
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="step_runs",
        db_index=False,  # the unique constraint's index begins with it
        # Each statement that adds a run holds its Job's row: a check would look once more for what is there.
        db_constraint=False,
    )
    number = models.IntegerField(_("number"))
    attempt = models.IntegerField(_("attempt"), default=1)
    step = models.CharField(_("step"), max_length=255)
    state = models.CharField(_("state"), max_length=16, choices=STEP_RUN_STATE_CHOICES)
    previous = ForeignKey(
        "self",
        verbose_name=_("previous"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        # Both rows belong to one Job and go with it; an index and a check would only cost each step.
        db_constraint=False,
        db_index=False,
    )
    external_data: Any = PayloadField(_("external data"), null=True, blank=True)
    edited_input: Any = PayloadField(
        _("edited input"),
        null=True,
        blank=True,
        is_wrapped=True,
        help_text=_('{"value": ...} where an operator replaced what the step is given.'),
    )
    result: Any = PayloadField(_("result"), null=True, blank=True)
    transition = models.IntegerField(
        _("transition"), null=True, blank=True, help_text=_("The index of the edge that was taken.")
    )
    superseded = models.BooleanField(
        _("superseded"), default=False, help_text=_("The Job was run again from an earlier step.")
    )
    worker = ForeignKey(
        Worker,
        verbose_name=_("worker"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        # The claim is on the hot path, and a worker's row may be swept away while its runs are kept.
        db_constraint=False,
        db_index=False,
    )
    epoch = models.IntegerField(_("epoch"), default=0, help_text=_("How often a worker has claimed this step run."))
    created_at = MomentField(_("created"), db_default=Now())
    due_at = MomentField(_("ready from"), db_default=Now())
    started_at = MomentField(_("started"), null=True, blank=True)
    finished_at = MomentField(_("finished"), null=True, blank=True)
    lost_before = models.SmallIntegerField(
        _("lost before"), default=0, help_text=_("How many attempts at this node have lost their worker.")
    )
    expires_at = MomentField(
        _("due"),
        null=True,
        blank=True,
        help_text=_("By when its input is expected. Written where it opens; empty if the step names no time."),
    )
    dispatched_at = MomentField(_("last message"), db_default=Now())
    dispatches = models.SmallIntegerField(_("messages sent again"), default=0)
    error_type = models.CharField(_("error type"), max_length=255, blank=True)
    error = models.TextField(_("error"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    fingerprint = models.CharField(
        _("fingerprint"), max_length=64, blank=True, help_text=_("Equal for failures of the same kind.")
    )

    class Meta:
        verbose_name = _("step run")
        verbose_name_plural = _("step runs")
        ordering: ClassVar[list[str]] = ["job", "number", "attempt"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["job", "number", "attempt"], name="wfe_step_run_unique")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], name="wfe_run_ready", condition=Q(state="READY")),
            models.Index(fields=["id"], name="wfe_run_running", condition=Q(state="RUNNING")),
            # What waits, the most urgent first; what has no due time comes last, the oldest first.
            models.Index(
                fields=["expires_at", "created_at", "id"], name="wfe_run_due", condition=Q(state="INPUT_REQUIRED")
            ),
            models.Index(
                fields=["step", "expires_at", "created_at", "id"],
                name="wfe_run_due_step",
                condition=Q(state="INPUT_REQUIRED"),
            ),
            models.Index(fields=["fingerprint", "-id"], name="wfe_run_incident", condition=Q(state="FAILED")),
            models.Index(fields=["finished_at"], name="wfe_run_failed_at", condition=Q(state="FAILED")),
            models.Index(
                fields=["state", "-id"],
                name="wfe_run_not_done",
                condition=Q(state__in=["CANCELED", "FAILED", "LOST", "SKIPPED"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} #{self.number}.{self.attempt}"

    @property
    def idempotency_key(self) -> str:
        """A text that stays the same over all attempts at this node."""
        return build_idempotency_key(self.job.uuid, self.number)


def build_idempotency_key(job_uuid: uuid.UUID, number: int) -> str:
    """Return what ``Step.idempotency_key`` shows to a step."""
    return f"{job_uuid}:{number}"
