"""What exports hold: the columns of jobs and step runs, read some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy
from import_export import fields
from import_export.resources import ModelResource

from django_wfe.admin.elements.payloads import JSON_COLUMNS, WRAPPED
from django_wfe.admin.frame.lists import BY_KEY
from django_wfe.engine.access import find_jobs_with_data
from django_wfe.models import Export, Job, StepRun
from django_wfe.values.large_values import load_whole
from django_wfe.values.sealing import cover_sealed_text

JOB_FIELDS = (
    "id",
    "uuid",
    "workflow__path",
    "state",
    "current_step",
    "current_step_number",
    "key",
    "created_at",
    "started_at",
    "finished_at",
)
STEP_RUN_FIELDS = (
    "id",
    "job",
    "number",
    "attempt",
    "step",
    "state",
    "transition",
    "superseded",
    "created_at",
    "due_at",
    "started_at",
    "finished_at",
    "error_type",
    "fingerprint",
)
PAYLOAD_FIELDS = ("external_data", "edited_input", "result", "error", "traceback")


def _build_text(name: str) -> Any:
    kind: Any = fields.Field
    return kind(attribute=f"{name}_text", column_name=name)


class ExportedRows(ModelResource):
    """Rows in the order of the lists, the newest first.

    Attributes:
        rows_at_once: how many are in memory at a time.
    """

    rows_at_once: ClassVar[int] = 500

    def __init__(self, *, actor: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.actor = actor

    def list_columns(self) -> list[str]:
        """Return the names of the columns."""
        resource: Any = self
        return list(resource.get_export_headers())

    def iterate(self, queryset: QuerySet[Any]) -> Iterator[list[Any]]:
        """Yield each row's values: texts, numbers, booleans, local times without their zone, None for nothing.

        Each portion is a query of its own, from the last row on: a cursor in the database would hold all rows on its
        disk, and a pool of connections knows none.
        """
        resource: Any = self
        rows = resource.filter_export(queryset).order_by(*BY_KEY)
        portion = list(rows[: self.rows_at_once])
        while portion:
            self.prepare(portion)
            for row in portion:
                yield resource.export_resource(row, force_native_type=True)
            portion = list(rows.filter(pk__lt=portion[-1].pk)[: self.rows_at_once])

    def prepare(self, portion: list[Any]) -> None:
        """Do what is to be done for some rows at a time before they are written. Default: nothing."""


class JobResource(ExportedRows):
    """A row a job."""

    kind = Export.Kind.JOBS

    class Meta:
        model = Job
        name = gettext_lazy("jobs")
        fields = JOB_FIELDS
        export_order = JOB_FIELDS


class StepRunResource(ExportedRows):
    """A row a step run, without what it was given and what it gave."""

    kind = Export.Kind.STEP_RUNS

    class Meta:
        model = StepRun
        name = gettext_lazy("step runs")
        fields = STEP_RUN_FIELDS
        export_order = STEP_RUN_FIELDS


class StepRunDataResource(ExportedRows):
    """A row a step run, inputs, results and errors included."""

    kind = Export.Kind.STEP_RUNS_WITH_DATA
    rows_at_once: ClassVar[int] = 20

    # The JSON stays text: as Python's objects it would take ten times as much.
    external_data = _build_text("external_data")
    edited_input = _build_text("edited_input")
    result = _build_text("result")

    class Meta:
        model = StepRun
        name = gettext_lazy("step runs with their data")
        fields = (*STEP_RUN_FIELDS, *PAYLOAD_FIELDS)
        export_order = (*STEP_RUN_FIELDS, *PAYLOAD_FIELDS)

    def filter_export(self, queryset: QuerySet[StepRun], **kwargs: Any) -> QuerySet[StepRun]:
        # The list leaves these columns out; fetching them row by row would be a query each.
        texts = {f"{name}_text": Cast(name, TextField()) for name in JSON_COLUMNS}
        return queryset.defer(None).defer(*JSON_COLUMNS, "job__error").annotate(**texts)

    def prepare(self, portion: list[Any]) -> None:
        # Which Jobs' data the user may see is up to the project's policy.
        with_data = find_jobs_with_data(self.actor, [run.job_id for run in portion])
        for run in portion:
            if run.job_id not in with_data:
                for name in JSON_COLUMNS:
                    setattr(run, f"{name}_text", None)
                run.error = run.traceback = ""
            for name in JSON_COLUMNS:
                setattr(run, f"{name}_text", load_whole(getattr(run, f"{name}_text"), is_wrapped=name == WRAPPED))

    def dehydrate_external_data(self, run: StepRun) -> str | None:
        """Return the input as it is shown, without its secrets."""
        exported: Any = run
        text: str | None = exported.external_data_text
        return None if text is None else cover_sealed_text(text)

    def dehydrate_result(self, run: StepRun) -> str | None:
        """Return the result likewise: that of a start is what the job was started with."""
        exported: Any = run
        text: str | None = exported.result_text
        return cover_sealed_text(text) if text is not None and run.number == 0 else text
