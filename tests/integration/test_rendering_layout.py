"""Laying out with Graphviz: the system's, the wheel's, none, and broken ones."""

import json
import logging
import shutil
import stat
import sys
from pathlib import Path

import pytest

from django_wfe.definition.graph import START
from django_wfe.rendering.diagram import dot, layout
from django_wfe.rendering.diagram.dot import DotFailed, build_dot, find_dot, is_dot_available, run_dot
from django_wfe.rendering.diagram.layout import LAYOUT_VERSION, Layout, compute_layout, get_layout
from tests.support.forms.rendering_samples import build_definition, build_long, build_order, build_sample

pytestmark = pytest.mark.integration
WHEEL_DOT = shutil.which("graphviz-pure", path=str(Path(sys.executable).parent))


@pytest.fixture(autouse=True)
def _forget_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_failures", {})


@pytest.fixture(params=["dot", "graphviz-pure"])
def executable(request: pytest.FixtureRequest) -> str:
    """Each Graphviz on this machine: Debian's and the one in the wheel differ in what they round."""
    path = shutil.which("dot") if request.param == "dot" else WHEEL_DOT
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    return path


def write_program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_each_node_and_edge_gets_its_place(executable: str) -> None:
    graph = build_order()
    laid_out = compute_layout(graph, executable=executable)
    assert [box.path for box in laid_out.nodes if box.path] == [node.path for node in graph.nodes]
    assert {box.after for box in laid_out.nodes if box.form == "end"} == {"ship", "refuse"}
    assert {(edge.source, edge.index) for edge in laid_out.edges} == {
        *((edge.source, edge.index) for edge in graph.edges),
        ("ship", -1),
        ("refuse", -1),
    }
    for box in laid_out.nodes:
        assert box.width / 2 <= box.x <= laid_out.width - box.width / 2
        assert box.height / 2 <= box.y <= laid_out.height - box.height / 2
    for edge in laid_out.edges:
        assert len(edge.spline) % 3 == 1
        assert (edge.label_at is not None) == bool(edge.label)


def test_the_way_leads_downwards_from_the_start(executable: str) -> None:
    laid_out = compute_layout(build_order(), executable=executable)
    y = {box.path or box.after + "'s end": box.y for box in laid_out.nodes}
    assert y[START] < y["ask"] < y["check"] < y["charge"] < y["ship"] < y["ship's end"]


def test_boxes_do_not_overlap(executable: str) -> None:
    boxes = compute_layout(build_long(60), executable=executable).nodes
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            apart_x = abs(one.x - other.x) >= (one.width + other.width) / 2 - 1
            apart_y = abs(one.y - other.y) >= (one.height + other.height) / 2 - 1
            assert apart_x or apart_y, f"{one.path} lies on {other.path}"


def test_two_edges_to_the_same_node_and_an_edge_to_itself_are_told_apart(executable: str) -> None:
    graph = build_sample({"a": ["b", "b", "a"], "b": []}, decisions=["a"])
    splines = {
        edge.index: edge.spline for edge in compute_layout(graph, executable=executable).edges if edge.source == "a"
    }
    assert len(set(splines.values())) == 3


def test_a_graph_of_300_nodes_is_laid_out(executable: str) -> None:
    laid_out = compute_layout(build_long(300), executable=executable)
    assert len([box for box in laid_out.nodes if box.form != "end"]) == 301


def test_what_a_developer_wrote_does_not_reach_graphviz() -> None:
    graph = build_sample(
        {"a": ["b", "b"], "b": []},
        labels={"a": '<b>"\\N'},
        edge_labels={("a", 0): '"];}<script>', ("a", 1): "\\E"},
        decisions=["a"],
    )
    sources: list[str] = []

    def keep(source: str, *args: object, **options: object) -> bytes:
        sources.append(source)
        raise DotFailed("kept")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "run_dot", keep)
        with pytest.raises(DotFailed):
            compute_layout(graph)
    assert "script" not in sources[0]
    assert "\\" not in sources[0]


def test_a_kept_layout_reads_back_the_same(executable: str) -> None:
    laid_out = compute_layout(build_order(), executable=executable)
    assert Layout.from_json(laid_out.to_json()) == laid_out


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "null", "{}", '{"version": 0}', json.dumps({"version": LAYOUT_VERSION, "nodes": [{}]})],
)
def test_an_unreadable_or_older_layout_is_made_anew(text: str) -> None:
    definition = build_definition(build_order())
    definition.layout = text
    assert Layout.from_json(text) is None
    assert get_layout(definition) is not None
    assert json.loads(definition.layout)["version"] == LAYOUT_VERSION


def test_dot_runs_once_for_a_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def count(source: str, output_format: str, **options: str | None) -> bytes:
        calls.append(output_format)
        return run_dot(source, output_format, executable=options["executable"])

    monkeypatch.setattr(layout, "run_dot", count)
    definition = build_definition(build_order())
    first = get_layout(definition)
    assert get_layout(definition) == first
    assert len(calls) == 1


def test_without_any_dot_there_is_no_layout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert not is_dot_available()
    assert get_layout(build_definition(build_order())) is None
    with pytest.raises(DotFailed, match="pip install graphviz-pure"):
        run_dot("digraph {}", "json0")


def test_a_kept_layout_needs_no_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    definition = build_definition(build_order())
    expected = get_layout(definition)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert expected is not None
    assert get_layout(definition) == expected


def test_the_wheels_dot_is_found_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if WHEEL_DOT is None:
        pytest.skip("graphviz-pure is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_dot() == WHEEL_DOT
    assert get_layout(build_definition(build_order())) is not None


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'no such font' >&2; exit 3", "no such font"),
        ("exit 3", "exit code 3"),
        ("echo nonsense", "cannot be understood"),
        ('echo \'{"bb": "0,0,1,1"}\'', "cannot be understood"),
    ],
)
def test_a_failing_dot_is_logged_once_and_harms_nothing(
    script: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = write_program(tmp_path / "dot", script)
    monkeypatch.setattr(layout, "find_dot", lambda: program)
    definition = build_definition(build_order())
    with caplog.at_level(logging.WARNING, "django_wfe"):
        assert get_layout(definition) is None
        assert get_layout(definition) is None
    assert len(caplog.records) == 1
    assert reason in caplog.text
    assert definition.layout == ""


def test_a_dot_that_hangs_is_ended(tmp_path: Path) -> None:
    program = write_program(tmp_path / "dot", "exec sleep 60")
    with pytest.raises(DotFailed, match=r"longer than 0\.2 s"):
        run_dot("digraph {}", "json0", executable=program, timeout=0.2)


def test_a_dot_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(DotFailed, match="could not be run"):
        run_dot("digraph {}", "json0", executable=str(tmp_path))


def test_a_failure_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = write_program(tmp_path / "dot", "exit 1")
    monkeypatch.setattr(layout, "find_dot", lambda: program)
    definition = build_definition(build_order())
    assert get_layout(definition) is None
    good = find_dot()
    assert good
    write_program(tmp_path / "dot", f'exec {good} "$@"')
    assert get_layout(definition) is None
    monkeypatch.setattr(layout, "RETRY_FAILED_AFTER", 0.0)
    assert get_layout(definition) is not None


def test_dot_source_for_people_has_labels_that_mean_nothing_to_graphviz(executable: str) -> None:
    label = '<b>"quoted"</b> \\N \\l back\\'
    source = build_dot(build_sample({"a": []}, labels={"a": label}, inputs=["a"]), name='my "flow"')
    answer = json.loads(run_dot(source, "json0", executable=executable))
    drawn = {item["name"]: item for item in answer["objects"]}
    # Graphviz doubles backslashes to show one; \N would have become the node's name.
    assert drawn["n1"]["label"].replace("\\\\", "\\") == label
    assert answer["name"] == 'my "flow"'


def test_dot_source_for_people_shows_kinds_labels_and_ends() -> None:
    source = build_dot(build_order())
    assert 'label="ask again"' in source
    assert "shape=diamond" in source
    assert source.count("shape=doublecircle") == 2


def test_availability_is_what_find_dot_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dot, "find_dot", lambda: "/somewhere/dot")
    assert is_dot_available()
