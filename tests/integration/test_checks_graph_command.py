"""``manage.py wfe_graph``."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from django_wfe.discovery import steadiness, sync, sync_definitions
from django_wfe.rendering.diagram import dot, layout
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, UNREACHABLE, Project, open_project

SVG = "{http://www.w3.org/2000/svg}"

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        opened.write("flows", TWO_STEPS + ANOTHER_WORKFLOW + "\nAnother.label = 'Send it out'\n")
        yield opened


def draw(*arguments: str) -> str:
    output = StringIO()
    call_command("wfe_graph", *arguments, stdout=output, stderr=StringIO(), no_color=True)
    return output.getvalue()


def test_a_workflow_is_found_by_path_name_and_label(project):
    by_path = draw(f"{project.flows}.Another")
    assert by_path == draw("Another") == draw("Send it out")
    assert by_path.startswith("digraph")
    assert "Store" in by_path
    assert "Fetch" not in by_path


def test_the_graph_is_written_as_svg(project, tmp_path):
    if not dot.is_dot_available():
        pytest.skip("there is no dot")
    file = tmp_path / "graph.svg"
    assert draw("Flow", "--svg", str(file)) == f"Wrote {file}.\n"
    drawn = ElementTree.parse(file).getroot()
    assert drawn.tag == f"{SVG}svg"
    assert {"Fetch", "Store"} <= {text.text for text in drawn.iter(f"{SVG}text")}


def test_several_files_are_written_at_once(project, tmp_path):
    if not dot.is_dot_available():
        pytest.skip("there is no dot")
    svg, png, source = (tmp_path / f"graph.{ending}" for ending in ("svg", "png", "dot"))
    said = draw("Flow", "--dot", str(source), "--png", str(png), "--svg", str(svg))
    assert said == f"Wrote {svg}.\nWrote {png}.\nWrote {source}.\n"
    assert png.read_bytes().startswith(b"\x89PNG")
    assert source.read_text() == draw("Flow").rstrip("\n") + "\n"


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_without_a_dot_the_command_says_what_to_install(ending, project, tmp_path, monkeypatch):
    for module in (dot, layout):
        monkeypatch.setattr(module, "find_dot", lambda: None)
    file = tmp_path / f"graph.{ending}"
    with pytest.raises(CommandError, match=rf"graph\.{ending} was not written: Graphviz \(dot\) is not installed"):
        draw("Flow", f"--{ending}", str(file))
    assert not file.exists()


def test_a_dot_that_cannot_make_png_is_told(project, tmp_path, monkeypatch):
    monkeypatch.setattr("django_wfe.rendering.diagram.graph_files.run_dot", lambda source, output_format: b"<svg/>")
    file = tmp_path / "graph.png"
    with pytest.raises(CommandError, match=r"This dot writes no PNG\. Install the system’s package graphviz"):
        draw("Flow", "--png", str(file))
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_told(project, tmp_path):
    if not dot.is_dot_available():
        pytest.skip("there is no dot")
    with pytest.raises(CommandError, match="was not written"):
        draw("Flow", "--svg", str(tmp_path / "nowhere" / "graph.svg"))


def test_an_unknown_name_lists_the_known_ones(project):
    with pytest.raises(CommandError) as raised:
        draw("Nothing")
    assert f"{project.flows}.Flow" in str(raised.value)


def test_a_name_of_several_workflows_asks_for_a_path(project, settings):
    settings.WFE_WORKFLOWS = [project.flows, f"{project.package}.more"]
    project.write("more", TWO_STEPS)
    with pytest.raises(CommandError, match="Several workflows are called Flow"):
        draw("Flow")


def test_a_workflow_with_problems_is_refused_with_them(project):
    project.write("flows", UNREACHABLE)
    with pytest.raises(CommandError, match="it cannot be reached"):
        draw("Flow")


def test_a_workflow_that_is_gone_from_the_code_is_drawn_as_it_last_was(project, monkeypatch):
    monkeypatch.setattr(sync, "read_modules", project.read_here)
    monkeypatch.setattr(steadiness, "read_modules", project.read_here)
    before = draw("Flow")
    sync_definitions()
    project.write("flows", "1 / 0")
    assert draw("Flow") == before
