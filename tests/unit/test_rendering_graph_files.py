"""The graph as a file: what SVG, PNG and DOT hold, with each Graphviz that is on this machine, and without."""

from __future__ import annotations

import shutil
import struct
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from django_wfe.models import Definition
from django_wfe.rendering.diagram import dot, graph_files, layout
from django_wfe.rendering.diagram.dot import DotFailed, run_dot
from django_wfe.rendering.diagram.graph_files import write_graph_file
from tests.support.forms.rendering_samples import SVG, build_definition, build_order

pytestmark = pytest.mark.unit

WHEEL_DOT = shutil.which("graphviz-pure", path=str(Path(sys.executable).parent))


@pytest.fixture
def definition(monkeypatch: pytest.MonkeyPatch) -> Definition:
    monkeypatch.setattr(layout, "_failures", {})
    return build_definition(build_order())


@pytest.fixture(params=["dot", "graphviz-pure"])
def executable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    path = shutil.which("dot") if request.param == "dot" else WHEEL_DOT
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    use_dot(monkeypatch, path)
    return path


def use_script(monkeypatch: pytest.MonkeyPatch, folder: Path, command: str) -> None:
    """Have a shell script take the place of dot."""
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    use_dot(monkeypatch, str(program))


def use_dot(monkeypatch: pytest.MonkeyPatch, path: str | None) -> None:
    for module in (dot, layout):
        monkeypatch.setattr(module, "find_dot", lambda: path)


def test_the_svg_is_drawn_as_the_console_draws_it(definition: Definition, executable: str) -> None:
    drawn = ElementTree.fromstring(write_graph_file(definition, "svg", name="flow"))
    assert drawn.tag == f"{SVG}svg"
    texts = {text.text for text in drawn.iter(f"{SVG}text")}
    assert {node.label for node in definition.load_graph().nodes if node.kind != "start"} <= texts
    assert {path.get("fill") for path in drawn.iter(f"{SVG}path")} > {"none"}


def test_the_png_is_a_picture_as_large_as_the_graph(definition: Definition, executable: str) -> None:
    content = write_graph_file(definition, "png", name="flow")
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 200
    assert height > 400


def test_the_dot_file_is_accepted_by_dot(definition: Definition, executable: str) -> None:
    source = write_graph_file(definition, "dot", name="shop.workflows.Order").decode()
    assert source.startswith('digraph "shop.workflows.Order"')
    assert b"<svg" in run_dot(source, "svg", executable=executable)


def test_without_a_dot_only_the_dot_file_can_be_had(definition: Definition, monkeypatch: pytest.MonkeyPatch) -> None:
    use_dot(monkeypatch, None)
    for file_format in ("svg", "png"):
        with pytest.raises(DotFailed, match="is not installed"):
            write_graph_file(definition, file_format, name="flow")
    assert write_graph_file(definition, "dot", name="flow").startswith(b"digraph flow")


def test_a_dot_that_answers_with_something_else_than_png_is_told(
    definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_files, "run_dot", lambda source, output_format: b"<svg/>")
    with pytest.raises(DotFailed, match=r"writes no PNG.*take the SVG"):
        write_graph_file(definition, "png", name="flow")


def test_a_dot_that_does_not_know_png_is_quoted(
    definition: Definition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_script(monkeypatch, tmp_path, "echo 'Format: \"png\" not recognized. Use one of: dot svg' >&2; exit 1")
    with pytest.raises(DotFailed, match='"png" not recognized'):
        write_graph_file(definition, "png", name="flow")


def test_the_reason_of_a_failed_drawing_is_told_each_time(
    definition: Definition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_script(monkeypatch, tmp_path, "echo 'no such font' >&2; exit 3")
    for _ in range(2):
        with pytest.raises(DotFailed, match="no such font"):
            write_graph_file(definition, "svg", name="flow")
