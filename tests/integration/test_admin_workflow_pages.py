"""What the console does with a whole workflow: pause it, compare its definitions, download its graph."""

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from django_wfe import steps
from django_wfe.admin.jobs import filters
from django_wfe.admin.workflows import versions
from django_wfe.definition.graph import build_graph
from django_wfe.engine.lifecycle import order_workflow_execution, pause_job, pause_workflow, run_workflow
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.engine.queries import open_jobs
from django_wfe.models import Definition, Job, Workflow, WorkflowEvent
from django_wfe.rendering.diagram import dot, layout
from tests.support.demo.pages import Page
from tests.support.doors.console import list_messages, read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Asking, Done, Double, Failing, Fetch, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SVG = "{http://www.w3.org/2000/svg}"


def list_linked_jobs(page: Page) -> set[int]:
    numbers = (re.fullmatch(r".*/job/(\d+)/change/.*", link.address) for link in page.links)
    return {int(number[1]) for number in numbers if number}


def build(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


@pytest.fixture
def redefined() -> Workflow:
    """Linear, recorded as it is and then with another end: one node gone, another come, one rewired."""
    record(Linear)
    graph = build_graph({steps.__start__: [Fetch], Fetch: [Double], Double: [Done]})
    return record_workflow(replace(describe_workflow(Linear), graph=graph))


def test_a_workflow_is_paused_with_a_reason_shown_and_resumed() -> None:
    workflow = record(Linear)
    client = sign_in_superuser()
    page = read_page(client.get(build("django_wfe_workflow_change", workflow.pk)))
    page = read_page(client.get(page.find_link("/pause/")))
    assert "no step begins after them until the workflow is resumed" in page.text
    assert not Workflow.objects.get(pk=workflow.pk).paused
    address = build("django_wfe_workflow_pause", workflow.pk)
    response = client.post(address, {"reason": "The supplier is down."}, follow=True)
    assert list_messages(response) == ["Linear is paused."]
    page = read_page(response)
    assert "The supplier is down." in page.text
    assert "paused" in page.text
    assert "Nothing was changed" in list_messages(client.post(address, {"reason": ""}, follow=True))[-1]
    assert "Not possible now" in read_page(client.get(address)).text

    page = read_page(client.get(page.find_link("/resume/")))
    assert "The supplier is down." in page.text
    response = client.post(build("django_wfe_workflow_resume", workflow.pk), follow=True)
    assert list_messages(response)[-1] == "Linear has been resumed."
    assert not Workflow.objects.get(pk=workflow.pk).paused
    assert LogEntry.objects.count() == 2
    page = read_page(response)
    assert [row.facts["event"] for row in page.rows if "event" in row.facts] == ["resumed", "paused"]
    events = WorkflowEvent.objects.values_list("kind", "actor_name", "source", "reason")
    name = LogEntry.objects.first().user.get_username()
    assert list(events) == [("paused", name, "admin", "The supplier is down."), ("resumed", name, "admin", "")]


def test_a_job_of_a_paused_workflow_can_be_started_and_the_page_says_that_it_waits() -> None:
    workflow = record(Linear)
    pause_workflow(workflow.pk)
    client = sign_in_superuser()
    address = build("django_wfe_workflow_start", workflow.pk)
    page = read_page(client.get(address))
    assert "no step of a job begins until it is resumed" in page.text
    client.post(address, {"key": ""}, follow=True)
    job = Job.objects.get()
    assert (job.state, job.step_runs.filter(started_at=None).count()) == ("PENDING", 1)


def test_where_jobs_are_is_counted_by_why_they_are_there() -> None:
    workflow = record(Asking)
    jobs = [run_workflow(Asking) for _ in range(4)]
    pause_job(jobs[0])
    Job.objects.filter(pk=jobs[1]).update(state="WAITING")
    Job.objects.filter(pk=jobs[2]).update(state="FAILED")
    response = sign_in_superuser().get(build("django_wfe_workflow_change", workflow.pk))
    page = read_page(response)
    words = "1 waiting for input, 1 waiting to try again, 1 paused, 1 failed"
    link = page.find_link(words)
    assert "workflow-other-versions" not in response.content.decode()
    assert f'aria-label="Ask: {words}; asks for input"' in response.content.decode()
    listed = read_page(sign_in_superuser().get(link))
    assert list_linked_jobs(listed) >= set(jobs)


def test_the_graph_shows_the_jobs_of_one_version_and_says_how_many_stand_in_others(redefined: Workflow) -> None:
    new = redefined.current_definition
    assert new is not None
    old = Definition.objects.filter(workflow=redefined).exclude(pk=new.pk).get()
    of_new, *of_old = (order_workflow_execution(Linear) for _ in range(3))
    Job.objects.update(definition=new)
    Job.objects.filter(pk__in=of_old).update(definition=old, state="FAILED", current_step="tests.workflows.Store")
    client, address = sign_in_superuser(), build("django_wfe_workflow_change", redefined.pk)

    page = read_page(client.get(address))
    assert "Open jobs in another version: 2." in page.text
    assert "2 failed" not in page.text
    switch = [(link.text, link.address) for link in page.links if link.address.startswith(f"{address}?definition=")]
    assert [text.split()[-2:] for text, _address in switch] == [["1", "open"], ["2", "open"]]

    page = read_page(client.get(f"{address}?definition={old.pk}"))
    assert "Open jobs in another version: 1." in page.text
    listed = read_page(client.get(page.find_link("2 failed")))
    assert list_linked_jobs(listed) >= set(of_old)
    assert of_new not in list_linked_jobs(listed)

    def list_jobs(query: str) -> list[int]:
        response = client.get(f"/admin/django_wfe/job/?{query}")
        read_page(response)
        return sorted(job.pk for job in response.context["cl"].result_list)

    # The table of the definitions leads to their open jobs.
    page = read_page(client.get(address))
    assert list_jobs(next(link for link in page.links if link.text == "2").address.partition("?")[2]) == of_old
    # Unless a state is asked for, only open jobs are looked at.
    Job.objects.filter(pk=of_old[0]).update(state="FINISHED")
    assert list_jobs(f"definition={old.pk}") == of_old[1:]
    assert list_jobs(f"definition={old.pk}&state=FINISHED") == of_old[:1]
    assert list_jobs(f"definition={new.pk}&workflow={redefined.pk}") == [of_new]
    for junk in ("x", "0", "9" * 30, "%00"):
        assert list_jobs(f"definition={junk}") == []
        assert client.get(f"{address}?definition={junk}").status_code == 200


def test_of_a_version_that_ended_the_newest_jobs_are_looked_through_and_the_choice_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filters, "LOOKED_THROUGH", 2)
    workflow = record(Linear)
    jobs = [run_workflow(Linear) for _ in range(3)]
    client, query = sign_in_superuser(), f"definition={workflow.current_definition_id}&state=FINISHED"
    response = client.get(f"/admin/django_wfe/job/?{query}")
    assert [job.pk for job in response.context["cl"].result_list] == jobs[:0:-1]
    assert "(of the newest 2 jobs)" in read_page(response).text
    response = client.get(f"/admin/django_wfe/job/?{query}&from=2020-01-01")
    assert [job.pk for job in response.context["cl"].result_list] == jobs[::-1]
    assert "(of the newest" not in read_page(response).text


@pytest.mark.parametrize("few", [1_000, 1])
def test_open_jobs_of_a_version_are_all_found_whether_or_not_they_are_few(
    few: int, redefined: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_jobs, "FEW", few)
    new = redefined.current_definition
    old = Definition.objects.filter(workflow=redefined).exclude(pk=redefined.current_definition_id).get()
    jobs = [order_workflow_execution(Linear) for _ in range(6)]
    Job.objects.update(definition=new)
    Job.objects.filter(pk__in=jobs[:4]).update(definition=old)
    for job, state in zip(jobs, ("FAILED", "FAILED", "PAUSED", "PENDING", "FAILED", "PENDING"), strict=True):
        Job.objects.filter(pk=job).update(state=state)
    client = sign_in_superuser()

    def list_jobs(query: str) -> list[int]:
        response = client.get(f"/admin/django_wfe/job/?definition={old.pk}&{query}")
        return [job.pk for job in response.context["cl"].result_list]

    assert list_jobs("state=open") == jobs[3::-1]
    assert list_jobs("state=FAILED") == jobs[1::-1]
    assert list_jobs("state=PENDING") == [jobs[3]]
    assert list_jobs("state=WAITING") == []


def test_where_very_many_jobs_stand_the_numbers_say_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "COUNTED", 2)
    monkeypatch.setattr(open_jobs, "COUNTED", 2)
    workflow = record(Asking)
    for _ in range(3):
        run_workflow(Asking)
    order_workflow_execution(Asking)
    page = read_page(sign_in_superuser().get(build("django_wfe_workflow_change", workflow.pk)))
    assert "2+ waiting for input" in page.text
    assert "1 running" in page.text
    assert "Of each state the newest 2 jobs are counted" in page.text
    [version] = open_jobs.count_by_version(None, workflow)
    assert (version.count, version.is_capped) == (3, True)


def test_a_job_that_its_workflow_holds_back_leads_to_what_lets_it_go_on() -> None:
    job_id = order_workflow_execution(record(Linear))
    workflow = Workflow.objects.get(jobs=job_id)
    address = build("django_wfe_job_change", job_id)
    assert "Resume the workflow" not in read_page(sign_in_superuser().get(address)).text
    pause_workflow(workflow.pk, reason="the supplier is down")
    page = read_page(sign_in_superuser().get(address))
    assert page.find_link("Resume the workflow") == build("django_wfe_workflow_resume", workflow.pk)
    viewer = read_page(sign_in("view_job").get(address))
    assert "You need the permission “Can pause and resume a workflow”." in viewer.text
    assert not any("/resume/" in link.address for link in viewer.links)


def test_pausing_is_for_the_members_of_the_workflows_groups() -> None:
    workflow = record(Linear)
    Workflow.objects.update(groups=["auditors"])
    client = sign_in("view_workflow", "pause_workflow")
    for name in ("django_wfe_workflow_pause", "django_wfe_workflow_compare"):
        assert client.get(build(name, workflow.pk)).status_code == 404
    assert client.post(build("django_wfe_workflow_pause", workflow.pk), {"reason": ""}).status_code == 404
    assert client.get(build("django_wfe_workflow_graph", workflow.pk, "dot")).status_code == 404
    assert not Workflow.objects.get().paused


def test_without_the_permission_the_button_stays_and_says_why() -> None:
    workflow = record(Linear)
    page = read_page(sign_in("view_workflow").get(build("django_wfe_workflow_change", workflow.pk)))
    assert "You need the permission “Can pause and resume a workflow”." in page.text
    assert not any("/pause/" in link.address for link in page.links)


def test_two_definitions_stand_side_by_side_with_what_changed(redefined: Workflow) -> None:
    workflow = redefined
    client = sign_in_superuser()
    page = read_page(client.get(build("django_wfe_workflow_change", workflow.pk)))
    response = client.get(page.find_link("/compare/"))
    page = read_page(response)
    changes = {row.facts["step"]: row.facts["change"] for row in page.rows if "change" in row.facts}
    assert changes == {
        "tests.workflows.Done": "added",
        "tests.workflows.Store": "removed",
        "tests.workflows.Double": "rewired",
    }
    assert "It leads to “Done”; it led to “Store”." in page.text
    html = response.content.decode()
    assert html.count('class="wfe-diagram__picture"') == 2
    assert html.count("wfe-edge--added") == 2
    assert html.count("wfe-edge--removed") == 2
    assert ">removed</text>" in html


def test_any_two_definitions_can_be_chosen_and_junk_falls_back(redefined: Workflow) -> None:
    workflow = redefined
    old, new = Definition.objects.order_by("pk")
    client, address = sign_in_superuser(), build("django_wfe_workflow_compare", workflow.pk)
    turned = read_page(client.get(f"{address}?old={new.pk}&new={old.pk}"))
    assert "It leads to “Store”; it led to “Done”." in turned.text
    same = read_page(client.get(f"{address}?old={old.pk}&new={old.pk}"))
    assert "Nothing: it is one definition." in same.text
    other = Definition.objects.get(workflow=record(Asking))
    for junk in ("x", "0", "9" * 30, str(other.pk)):
        assert "It leads to “Done”" in read_page(client.get(f"{address}?old={junk}&new={junk}")).text


def test_definitions_that_declare_the_same_in_another_order_are_told_apart_from_one_definition() -> None:
    record(Linear)
    graph = build_graph(Linear.DIGRAPH)
    turned = replace(graph, nodes=(graph.nodes[0], *reversed(graph.nodes[1:])))
    workflow = record_workflow(replace(describe_workflow(Linear), graph=turned))
    page = read_page(sign_in_superuser().get(build("django_wfe_workflow_compare", workflow.pk)))
    assert "Nothing but the order in which the steps are declared" in page.text


def test_with_one_definition_there_is_nothing_to_compare() -> None:
    workflow = record(Linear)
    page = read_page(sign_in_superuser().get(build("django_wfe_workflow_compare", workflow.pk)))
    assert "There is only one definition" in page.text


def test_without_graphviz_the_comparison_is_a_table(redefined: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = redefined
    monkeypatch.setattr(layout, "find_dot", lambda: None)
    page = read_page(sign_in_superuser().get(build("django_wfe_workflow_compare", workflow.pk)))
    assert "pip install graphviz-pure" in page.text
    assert "It leads to “Done”; it led to “Store”." in page.text


def download(name: str, *arguments: object, **options: Any) -> Any:
    response = sign_in_superuser().get(build(name, *arguments), options)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment; ")
    return response


def test_the_graph_is_downloaded_as_svg_png_and_dot() -> None:
    workflow = record(Asking)
    drawn = ElementTree.fromstring(download("django_wfe_workflow_graph", workflow.pk, "svg").content)
    texts = {text.text for text in drawn.iter(f"{SVG}text")}
    assert {"Ask", "Route", "even"} <= texts
    assert not list(drawn.iter(f"{SVG}a"))
    assert download("django_wfe_workflow_graph", workflow.pk, "png").content.startswith(b"\x89PNG")
    source = download("django_wfe_workflow_graph", workflow.pk, "dot")
    assert source.content.startswith(b"digraph")
    assert source["Content-Disposition"].endswith('.dot"')


def test_an_older_definition_is_downloaded_too_and_no_other_workflows(redefined: Workflow) -> None:
    workflow = redefined
    old = Definition.objects.earliest("pk")
    assert b"Store" in download("django_wfe_workflow_graph", workflow.pk, "dot", definition=old.pk).content
    assert b"Store" not in download("django_wfe_workflow_graph", workflow.pk, "dot").content
    page = read_page(sign_in_superuser().get(build("django_wfe_definition_change", old.pk)))
    assert b"Store" in sign_in_superuser().get(page.find_link("/graph.dot")).content
    foreign = Definition.objects.get(workflow=record(Asking)).pk
    address = build("django_wfe_workflow_graph", workflow.pk, "dot")
    assert sign_in_superuser().get(address, {"definition": foreign}).status_code == 404


def test_the_jobs_graph_is_downloaded_with_its_state() -> None:
    job_id = run_workflow(record(Failing))
    before = download("django_wfe_job_graph", job_id).content.decode()
    drawn = ElementTree.fromstring(before)
    assert any("failed" in (title.text or "") for title in drawn.iter(f"{SVG}title"))
    assert "var(" not in before
    assert "class=" not in before
    run_ready(job_id)
    colours = {path.get("stroke") for path in drawn.iter(f"{SVG}path")}
    assert "#b3201f" in colours


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_without_graphviz_a_message_says_so_and_dot_is_still_there(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = record(Linear)
    monkeypatch.setattr(layout, "find_dot", lambda: None)
    monkeypatch.setattr(dot, "find_dot", lambda: None)
    client = sign_in_superuser()
    response = client.get(build("django_wfe_workflow_graph", workflow.pk, kind), follow=True)
    assert "The file could not be made" in list_messages(response)[0]
    assert download("django_wfe_workflow_graph", workflow.pk, "dot").content


def test_a_dot_that_writes_no_png_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = record(Linear)
    monkeypatch.setattr("django_wfe.rendering.diagram.graph_files.run_dot", lambda source, kind: b"<svg/>")
    response = sign_in_superuser().get(build("django_wfe_workflow_graph", workflow.pk, "png"), follow=True)
    assert "writes no PNG" in list_messages(response)[0]


def test_hostile_names_are_text_in_every_file() -> None:
    hostile = "</text><script>alert('wfe')</script>"
    graph = build_graph(Linear.DIGRAPH)
    nodes = tuple(replace(node, label=hostile) for node in graph.nodes)
    workflow = record_workflow(replace(describe_workflow(Linear), graph=replace(graph, nodes=nodes)))
    drawn = ElementTree.fromstring(download("django_wfe_workflow_graph", workflow.pk, "svg").content)
    assert any("alert" in (text.text or "") for text in drawn.iter(f"{SVG}text"))
    assert not [element for element in drawn.iter() if element.tag.endswith("script")]
    assert download("django_wfe_workflow_graph", workflow.pk, "png").content.startswith(b"\x89PNG")
