"""The layout in the database: made once, kept in one column, shared by every reader."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_wfe.definition.graph import START
from django_wfe.models import Definition, Job, StepRun, Workflow
from django_wfe.rendering.diagram import layout
from django_wfe.rendering.diagram.dot import run_dot
from django_wfe.rendering.diagram.picture import RUN_FIELDS, render_job_diagram, render_workflow_diagram
from tests.support.forms.rendering_samples import build_order

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def definition() -> Definition:
    graph = build_order()
    workflow = Workflow.objects.create(path="shop.flows.Order", name="Order")
    return Definition.objects.create(workflow=workflow, fingerprint=graph.fingerprint, graph=graph.to_json())


@pytest.fixture
def dot_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []

    def count(source: str, output_format: str, **options: str | None) -> bytes:
        calls.append(source)
        return run_dot(source, output_format, executable=options["executable"])

    monkeypatch.setattr(layout, "run_dot", count)
    return calls


def test_the_first_look_lays_out_and_later_ones_read(definition: Definition, dot_calls: list[str]) -> None:
    first = render_workflow_diagram(definition)
    fresh = Definition.objects.get(pk=definition.pk)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert render_workflow_diagram(fresh) == first
    assert len(queries) == 0
    assert len(dot_calls) == 1


def test_only_the_layout_column_is_written(definition: Definition, dot_calls: list[str]) -> None:
    stale = Definition.objects.get(pk=definition.pk)
    Definition.objects.filter(pk=definition.pk).update(code_hash="newer")
    stale.code_hash = "older"
    render_workflow_diagram(stale)
    definition.refresh_from_db()
    assert definition.code_hash == "newer"
    assert definition.layout


def test_a_newer_renderer_lays_out_anew(
    definition: Definition, dot_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    render_workflow_diagram(definition)
    monkeypatch.setattr(layout, "LAYOUT_VERSION", layout.LAYOUT_VERSION + 1)
    definition.refresh_from_db()
    render_workflow_diagram(definition)
    render_workflow_diagram(Definition.objects.get(pk=definition.pk))
    assert len(dot_calls) == 2


def test_a_job_is_drawn_from_rows_or_from_step_runs_alike(definition: Definition) -> None:
    job = Job.objects.create(workflow=definition.workflow, definition=definition, state="FAILED", current_step="check")
    for number, (step, state, transition) in enumerate(
        [(START, "FINISHED", 0), ("ask", "FINISHED", 0), ("check", "FAILED", None)]
    ):
        StepRun.objects.create(job=job, number=number, step=step, state=state, transition=transition)
    by_rows = render_job_diagram(definition, job.step_runs.values_list(*RUN_FIELDS, named=True), job=job)
    by_models = render_job_diagram(definition, job.step_runs.all(), job=job)
    assert by_rows == by_models
    assert by_rows is not None
    assert "Good?: failed, the job is here; a decision" in by_rows
