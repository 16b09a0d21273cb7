"""The node kind of docs/extending.md: stored, drawn, named and run."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from django_wfe import run_workflow
from django_wfe.definition.graph import build_graph
from django_wfe.kinds import NodeKind, register_kind, unregister_kind
from django_wfe.models import Job, JobState, Step
from django_wfe.rendering.diagram.compare import compare_graphs
from django_wfe.rendering.diagram.dot import build_dot
from django_wfe.steps import Decision
from django_wfe.steps import Step as StepClass
from django_wfe.wording.node_kinds import describe_kind
from tests.support.documents.documented_shop import write_shop
from tests.support.doors.console import sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    write_shop(tmp_path, "A node kind of your own")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("shop.workflows")
    unregister_kind("gate")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def test_a_job_goes_through_it_and_its_definition_names_it(shop: ModuleType) -> None:
    job = Job.objects.get(pk=run_workflow(shop.Orders))
    assert job.state == JobState.FINISHED
    kinds = {node.name: node.kind for node in job.definition.load_graph().nodes}
    assert kinds == {"__start__": "start", "TakeOrder": "step", "CheckSum": "gate", "Ship": "step"}
    assert Step.objects.get(name="CheckSum").kind == "gate"


def test_the_graph_draws_it_in_its_form_and_names_it(shop: ModuleType) -> None:
    job_id = run_workflow(shop.Orders)
    page = sign_in_superuser().get(reverse("admin:django_wfe_job_change", args=[job_id])).content.decode()
    (label, *_others) = re.findall(r'aria-label="(Check sum: [^"]+)"', page)
    assert label.endswith("; a gate")
    assert "wfe-node--decision" in page
    graph = build_graph(shop.Orders.DIGRAPH)
    (line,) = [line for line in build_dot(graph).splitlines() if 'label="Check sum"' in line or "Check sum" in line]
    assert "diamond" in line


def test_a_process_that_does_not_know_it_draws_a_box(shop: ModuleType) -> None:
    graph = build_graph(shop.Orders.DIGRAPH)
    gate = shop.Gate
    unregister_kind("gate")
    assert "diamond" not in build_dot(graph)
    assert describe_kind("gate") == "gate"
    register_kind(NodeKind("gate", base=gate, form="decision", words="a gate"))


def test_a_change_of_kind_is_told_when_definitions_are_compared(shop: ModuleType) -> None:
    as_gate = build_graph(shop.Orders.DIGRAPH)
    data = as_gate.to_json()
    for node in data["nodes"]:
        node["kind"] = {"gate": "step"}.get(node["kind"], node["kind"])
    as_step = type(as_gate).from_json(data)
    assert as_step.fingerprint != as_gate.fingerprint
    (there,) = compare_graphs(as_step, as_gate).nodes
    (back,) = compare_graphs(as_gate, as_step).nodes
    assert (there.details, back.details) == (("It became a gate.",), ("It is no longer a gate.",))


def test_the_kinds_of_django_wfe_are_named_in_the_readers_language() -> None:
    assert (describe_kind("step"), describe_kind("start"), describe_kind("decision")) == ("", "", "a decision")
    with override("de"):
        assert describe_kind("decision") == "eine Entscheidung"


class Base(Decision):
    """A base class."""


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        (NodeKind("step", Base), ValueError, "The kind 'step' of Step is there already"),
        (NodeKind("other", Decision), ValueError, "The kind 'decision' of Decision is there already"),
        (NodeKind("My kind", Base), ValueError, "'My kind' cannot be the code of a kind"),
        (NodeKind("mine", Any), TypeError, "name a subclass of Step or Decision"),  # type: ignore[arg-type]
        (NodeKind("mine", str), TypeError, "name a subclass of Step or Decision"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_kind_is_refused(kind: NodeKind, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        register_kind(kind)
    with pytest.raises(ValueError, match="'decision' is not a kind that was registered"):
        unregister_kind("decision")
    assert issubclass(Base, StepClass)
