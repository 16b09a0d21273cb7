"""The picture: shapes, states, names, safety."""

import re
from itertools import pairwise

import pytest
from django.test import override_settings
from django.utils import translation
from django.utils.safestring import SafeString

from django_wfe.definition.graph import START, Graph
from django_wfe.rendering.diagram import layout
from django_wfe.rendering.diagram.picture import NodeCounts, render_job_diagram, render_workflow_diagram
from django_wfe.rendering.diagram.svg import find_place_beside
from tests.support.forms.rendering_samples import (
    SVG,
    JobStub,
    Run,
    build_definition,
    build_long,
    build_order,
    build_sample,
    find_edges,
    find_nodes,
    get_link,
    parse_picture,
    read_texts,
)

pytestmark = pytest.mark.unit

HOSTILE = [
    '<script>alert("1")</script>',
    "</svg></text><img src=x onerror=alert(1)>",
    "\\N \\l \\E back\\",
    "%s %(label)s 100% {{ drawing }} {% load x %}",
    "line\nbreak\x00\x08 and\ttab",
    "שלום עולם \u202e reversed",
    "&amp; &lt;b&gt; '\"`",
    "x" * 300,
    "",
]


def draw_job(*runs: Run, state: str = "ONGOING", at: str = "", urls: dict[str, str] | None = None) -> SafeString:
    html = render_job_diagram(
        build_definition(build_order()),
        [Run(0, START, transition=0), *runs],
        job=JobStub(state, at),
        node_urls=urls or {},
    )
    assert html is not None
    return html


def draw_workflow(graph: Graph, **options: dict[str, NodeCounts] | dict[str, str]) -> SafeString:
    html = render_workflow_diagram(build_definition(graph), **options)  # type: ignore[arg-type]
    assert html is not None
    return html


def test_each_kind_of_node_has_its_shape() -> None:
    nodes = find_nodes(draw_workflow(build_order()))
    assert "wfe-node--start" in nodes["Start"].get("class", "")
    assert "wfe-node--decision" in nodes["Good?"].get("class", "")
    assert "wfe-node--step" in nodes["Charge card"].get("class", "")
    outlines = {name: node.find(f".//{SVG}path[@class='wfe-node__shape']").get("d") for name, node in nodes.items()}  # type: ignore[union-attr]
    assert outlines["Good?"].count("L") == 3
    assert "a" in outlines["End"]
    assert nodes["End"].find(f".//{SVG}path[@class='wfe-node__inner']") is not None


def test_a_step_that_asks_for_input_carries_a_mark_with_a_title() -> None:
    nodes = find_nodes(draw_workflow(build_order()))
    titles = [title.text for title in nodes["Ask the customer"].iter(f"{SVG}title")]
    assert "Asks for input" in titles
    assert "asks for input" in get_link(nodes["Ask the customer"]).get("aria-label", "")
    assert "Asks for input" not in [title.text for title in nodes["Ship it"].iter(f"{SVG}title")]


def test_edges_of_a_decision_are_labelled() -> None:
    picture = parse_picture(draw_workflow(build_order()))
    labels = {text.text for text in picture.iter(f"{SVG}text") if text.get("class") == "wfe-edge__label"}
    assert labels == {"yes", "ask again", "no"}


def test_a_node_is_a_link_with_a_name_that_tells_its_state() -> None:
    html = draw_job(
        Run(1, "ask", transition=0),
        Run(2, "check", transition=0),
        Run(3, "charge", "FAILED"),
        state="FAILED",
        at="charge",
        urls={"charge": "/admin/run/7/"},
    )
    node = find_nodes(html)["Charge card"]
    link = get_link(node)
    assert link.tag == f"{SVG}a"
    assert link.get("href") == "/admin/run/7/"
    assert link.get("aria-label") == "Charge card: failed, the job is here"
    assert link.get("aria-current") == "step"
    assert "wfe-state--failed" in node.get("class", "").split()


def test_a_node_without_an_address_is_a_named_image() -> None:
    node = get_link(find_nodes(draw_job())["Ship it"])
    assert node.tag == f"{SVG}g"
    assert node.get("role") == "img"
    assert node.get("aria-label") == "Ship it: not reached"


def test_a_failed_node_on_a_loop_is_named_with_its_visits() -> None:
    runs = [
        Run(1, "ask", transition=0),
        Run(2, "check", transition=1),
        Run(3, "ask", transition=0),
        Run(4, "check", "FAILED"),
    ]
    node = find_nodes(draw_job(*runs))["Good?"]
    assert get_link(node).get("aria-label") == "Good?: failed, 2 visits; a decision"
    assert "×2" in read_texts(node)


def test_taken_edges_are_told_from_others_and_counted() -> None:
    html = draw_job(
        Run(1, "ask", transition=0),
        Run(2, "check", transition=1),
        Run(3, "ask", transition=0),
        Run(4, "check", transition=0),
        Run(5, "charge", "RUNNING"),
        at="charge",
    )
    taken = find_edges(html, "taken")
    texts = sorted(text for edge in taken for text in read_texts(edge))
    # The start, ask -> check twice, both ways out of the decision once.
    assert len(taken) == 4
    assert texts == ["ask again", "yes", "×2"]
    assert len(find_edges(html, "untaken")) == 4


def test_a_state_is_a_shape_and_a_word_and_not_only_a_colour() -> None:
    html = draw_job(Run(1, "ask", transition=0), Run(2, "check", "RUNNING"), at="check")
    nodes = find_nodes(html)
    icons = {
        name: nodes[name].find(f".//{SVG}g/{SVG}path[@class='wfe-icon__glyph'][@transform]").get("d")  # type: ignore[union-attr]
        for name in ("Ask the customer", "Good?")
    }
    assert icons["Ask the customer"] != icons["Good?"]
    assert "done" in get_link(nodes["Ask the customer"]).get("aria-label", "")
    legend = html.split('class="wfe-legend"')[1]
    assert "done" in legend
    assert "running" in legend
    assert "not reached" in legend
    assert "skipped" not in legend


def test_the_end_shows_when_the_job_has_got_there() -> None:
    assert "End: not reached" in draw_job(Run(1, "ask", "RUNNING"))
    assert "End: reached" in draw_job(Run(4, "ship", "FINISHED"), state="FINISHED", at="ship")


def test_a_workflows_nodes_carry_counts() -> None:
    counts = {"ask": NodeCounts(waiting=12), "charge": NodeCounts(running=3, failed=12_345)}
    nodes = find_nodes(draw_workflow(build_order(), counts=counts, node_urls={"ask": "/admin/jobs/?node=ask"}))
    assert read_texts(nodes["Ask the customer"])[-1] == "12"
    assert get_link(nodes["Ask the customer"]).get("href") == "/admin/jobs/?node=ask"
    assert read_texts(nodes["Charge card"])[-2:] == ["3", "12k"]
    assert get_link(nodes["Charge card"]).get("aria-label") == "Charge card: 3 running, 12,345 failed"
    assert get_link(nodes["Ship it"]).get("aria-label") == "Ship it"
    html = draw_workflow(build_order(), counts={"ask": NodeCounts(running=1, waiting=2, retrying=3, paused=4)})
    badges = [text for text in read_texts(find_nodes(html)["Ask the customer"]) if text.isdecimal()]
    assert badges == ["1", "2", "3", "4"]
    legend = re.findall(r'<svg class="wfe-icon wfe-state--(\w+)"', html)
    assert legend == ["running", "waiting", "retrying", "paused"]


@pytest.mark.parametrize("decisions", [[], ["a"]])
def test_many_counts_stand_around_a_narrow_node_inside_the_picture(decisions: list[str]) -> None:
    graph = build_sample({"a": ["b", "c"] if decisions else ["b"], "b": [], "c": []}, decisions=decisions)
    counts = {"a": NodeCounts(running=4490, waiting=4420, retrying=4410, paused=4400, failed=9999)}
    html = draw_workflow(graph, counts=counts)
    picture = parse_picture(html)
    width = float(picture.get("viewBox", "").split()[2])
    node = find_nodes(html)["a"]
    grounds = [rect.attrib for rect in node.iter(f"{SVG}rect") if rect.get("class") == "wfe-icon__ground"]
    places = [(float(rect["x"]), float(rect["y"]), float(rect["width"])) for rect in grounds]
    assert len(places) == 5
    assert all(x >= 0 and x + wide <= width for x, _y, wide in places)
    assert len({y for _x, y, _wide in places}) == 2
    for (x, y, wide), (next_x, next_y, _wide) in pairwise(places):
        assert y != next_y or x + wide <= next_x
    [label] = [float(text.get("y", "")) for text in node.iter(f"{SVG}text") if text.text == "a"]
    assert all(y + 20 < label - 9 or y > label for _x, y, _wide in places), "none covers its name"


@pytest.mark.parametrize("label", HOSTILE)
def test_what_a_developer_wrote_is_only_text(label: str) -> None:
    graph = build_sample(
        {"a": ["b", "b"], "b": []}, labels={"a": label}, edge_labels={("a", 0): label}, decisions=["a"], inputs=["b"]
    )
    html = draw_workflow(graph)
    known = {f"{SVG}{name}" for name in ("svg", "g", "a", "path", "polygon", "rect", "text", "title")}
    assert {element.tag for element in parse_picture(html).iter()} <= known
    assert "<script" not in html
    assert "<img" not in html
    expected = " ".join(re.sub(r"[\x00\x08]", "", label).split())
    titles = [title.text or "" for title in parse_picture(html).iter(f"{SVG}title")]
    assert any(title.startswith(expected) for title in titles)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x"]
)
def test_only_addresses_of_pages_become_links(url: str) -> None:
    html = draw_workflow(build_order(), node_urls={"ask": url})
    assert get_link(find_nodes(html)["Ask the customer"]).tag == f"{SVG}g"
    assert "alert(1)" not in html


def test_the_picture_keeps_a_strict_content_security_policy() -> None:
    html = draw_job(Run(1, "ask", "INPUT_REQUIRED"), at="ask", urls={"ask": "/x/"})
    assert not re.search(r"\sstyle=", html)
    assert not re.search(r"\son\w+=", html)
    assert "<style" not in html
    assert "<script" not in html


def test_geometry_is_the_same_in_every_language() -> None:
    graph = build_long(80)
    with override_settings(USE_THOUSAND_SEPARATOR=True), translation.override("de"):
        german = parse_picture(draw_workflow(graph))
    english = parse_picture(draw_workflow(graph))
    attributes = ("d", "points", "x", "y", "width", "height", "viewBox", "transform")
    for one, other in zip(german.iter(), english.iter(), strict=True):
        assert [one.get(name) for name in attributes] == [other.get(name) for name in attributes]
    assert float(german.get("height", "")) > 1000


def test_a_graph_of_300_nodes_is_drawn_whole() -> None:
    graph = build_long(300)
    urls = {node.path: f"/n/{index}/" for index, node in enumerate(graph.nodes)}
    picture = parse_picture(draw_workflow(graph, node_urls=urls))
    assert len(list(picture.iter(f"{SVG}a"))) == 301


def test_the_picture_scales_and_keeps_a_width_below_which_it_scrolls() -> None:
    html = draw_workflow(build_order())
    picture = parse_picture(html)
    width, height = picture.get("viewBox", "").split()[2:]
    assert (picture.get("width"), picture.get("height")) == (width, height)
    floor = re.search(r'wfe-diagram__floor" width="(\d+)"', html)
    assert floor
    assert 0.6 <= int(floor.group(1)) / float(width) <= 0.9


def test_the_cached_layout_holds_no_state_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = build_definition(build_order())
    render_job_diagram(definition, [Run(0, START, transition=0)], job=JobStub("ONGOING", START))
    kept = definition.layout
    runs = [Run(0, START, transition=0), Run(1, "ask", "FAILED")]
    failed = render_job_diagram(definition, runs, job=JobStub("FAILED", "ask"))
    assert definition.layout == kept
    assert failed is not None
    assert "wfe-state--failed" in failed


def test_without_dot_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_dot", lambda: None)
    definition = build_definition(build_order())
    assert render_workflow_diagram(definition) is None
    assert render_job_diagram(definition, [], job=JobStub("PENDING", START)) is None


def test_a_job_without_step_runs_is_drawn() -> None:
    html = render_job_diagram(build_definition(build_order()), [], job=JobStub("PENDING", START))
    assert html is not None
    assert not find_edges(html, "taken")


def test_the_counts_of_the_two_edges_of_a_loop_keep_clear_of_each_other() -> None:
    down = [(10.0, 0.0), (10.0, 10.0), (10.0, 20.0), (10.0, 30.0)]
    up = [(30.0, 30.0), (30.0, 20.0), (30.0, 10.0), (30.0, 0.0)]
    level = [(0.0, 50.0), (10.0, 50.0), (20.0, 50.0), (30.0, 50.0)]
    assert find_place_beside(down, 20, 11) == (-10, 15)
    assert find_place_beside(up, 20, 11) == (50, 15)
    assert find_place_beside(level, 20, 11) == (15, 39)
    assert find_place_beside(level[::-1], 20, 11) == (15, 39)
