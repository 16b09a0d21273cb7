"""What live pages are told: fragments with the page's rights, 286 at the end, 401 without a session; all bounded."""

import json
import re
from pathlib import Path
from typing import Any

import django_htmx
import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_wfe.admin.jobs import window as job_window
from django_wfe.admin.jobs.graph import load_groups, load_visits
from django_wfe.admin.runs import log_tail
from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import cancel_job, rerun_job, retry_job, run_workflow
from django_wfe.models import BulkRun, Job, JobLog, StepRun
from django_wfe.rendering.diagram.overlay import build_grouped_overlay, build_job_overlay
from django_wfe.rendering.diagram.picture import RUN_FIELDS
from tests.support.doors.console import build_world, read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import run_ready
from tests.support.running.long_jobs import lengthen
from tests.workflows import Asking, Failing, Linear, Looping

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ASKS = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TRIGGER": "wfe-live"}
TAILS = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TRIGGER": "wfe-tail-1"}

LIVE_PAGES = [
    ("django_wfe_console", "", ("view_job",)),
    ("django_wfe_job_change", "waiting", ("view_job",)),
    ("django_wfe_workflow_change", "workflow", ("view_workflow", "view_job")),
    ("django_wfe_bulkrun_change", "bulk", ("view_job", "view_bulkrun")),
    ("django_wfe_steprun_change", "waiting_run", ("view_job", "view_steprun")),
]


def build(name: str, *arguments: Any) -> str:
    return reverse(f"admin:{name}", args=arguments)


def build_live_page(name: str, argument: str) -> str:
    world = build_world()
    if argument == "bulk":
        return build(name, start_bulk("cancel", Job.objects.filter(pk=world.get("waiting"))).pk)
    return build(name, *[world.get(argument)] if argument else [])


def read_state(response: Any) -> str:
    state: str = json.loads(response["HX-Trigger"])["wfe:state"]["state"]
    return state


def read_seconds(response: Any) -> int:
    seconds: int = json.loads(response["HX-Trigger"])["wfe:state"]["seconds"]
    return seconds


def test_htmx_is_the_one_that_the_installed_django_htmx_ships() -> None:
    ours = Path(str(finders.find("django_wfe/vendor/htmx.min.js")))
    folder = Path(django_htmx.__file__).parent / "static" / "django_htmx"
    theirs = next(folder / name for name in ("htmx-2.min.js", "htmx.min.js") if (folder / name).exists())
    version = re.compile(rb'version:"([0-9.]+)"')
    found, installed = version.search(ours.read_bytes()), version.search(theirs.read_bytes())
    assert found is not None
    assert installed is not None
    assert found[1].startswith(b"2.")
    if found[1] == installed[1]:
        assert ours.read_bytes() == theirs.read_bytes()
    assert "Zero-Clause BSD" in ours.with_name("htmx.LICENSE.txt").read_text()


@pytest.mark.parametrize(("name", "argument", "permissions"), LIVE_PAGES)
def test_a_fragment_is_the_page_without_its_frame_and_has_the_pages_rights(
    name: str, argument: str, permissions: tuple[str, ...]
) -> None:
    path = build_live_page(name, argument)
    page = read_page(sign_in(*permissions).get(path))
    assert page.facts["live"].isdecimal()
    assert any("vendor/htmx.min.js" in address for address in page.resources)

    answer = sign_in(*permissions).get(path, **ASKS)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "<html" not in html
    assert "<script" not in html
    assert "data-live-part" in html
    assert read_state(answer) == (page.facts.get("state") or read_state(answer))
    assert "HX-Request" in sign_in(*permissions).get(path)["Vary"]

    assert Client().get(path, **ASKS).status_code == 401
    assert sign_in(*permissions, is_staff=False).get(path, **ASKS).status_code == 401
    for missing in permissions:
        if (name, missing) == ("django_wfe_workflow_change", "view_job"):
            continue  # it is not needed to see the workflow, only for what is live on its page
        refused = sign_in(*[permission for permission in permissions if permission != missing]).get(path, **ASKS)
        assert refused.status_code in (403, 404)
        assert "HX-Trigger" not in refused


def test_only_what_the_page_itself_asks_is_answered_with_a_fragment() -> None:
    world = build_world()
    path = build("django_wfe_job_change", world.get("waiting"))
    client = sign_in_superuser()
    assert "<html" in client.get(path, HTTP_HX_REQUEST="true").content.decode()
    assert "<html" in client.get(path, HTTP_HX_REQUEST="true", HTTP_HX_TRIGGER="menu").content.decode()
    # Whoever is not signed in and asks otherwise is led to the login page, as ever.
    assert Client().get(path, HTTP_HX_REQUEST="true").status_code == 302


def test_a_job_that_ends_stops_its_page() -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    client = sign_in_superuser()
    path = build("django_wfe_job_change", job_id)
    assert read_state(client.get(path, **ASKS)) == "INPUT_REQUIRED"
    cancel_job(job_id)
    answer = client.get(path, **ASKS)
    assert answer.status_code == 286
    assert read_state(answer) == "CANCELED"
    assert "canceled" in json.loads(answer["HX-Trigger"])["wfe:state"]["words"]
    page = read_page(client.get(path))
    assert "live" not in page.facts
    assert not any("htmx" in address for address in page.resources)


def test_a_failed_job_is_looked_at_slowly_until_it_ends() -> None:
    record(Failing)
    job_id = run_workflow(Failing)
    client = sign_in_superuser()
    path = build("django_wfe_job_change", job_id)
    assert read_page(client.get(path)).facts["live"] == "10"
    answer = client.get(path, **ASKS)
    assert (answer.status_code, read_state(answer), read_seconds(answer)) == (200, "FAILED", 10)
    retry_job(job_id)
    assert read_seconds(client.get(path, **ASKS)) == 1, "it may move any moment"
    cancel_job(job_id)
    assert client.get(path, **ASKS).status_code == 286


def test_an_older_part_of_a_history_follows_the_job_slowly() -> None:
    record(Looping)
    job_id = run_workflow(Looping)
    lengthen(job_id, 300)
    client, path = sign_in_superuser(), build("django_wfe_job_change", job_id) + "?before=150"
    assert read_page(client.get(path)).facts["live"] == "10"
    cancel_job(job_id)
    answer = client.get(path + "&newest=149", **ASKS)
    assert (answer.status_code, read_state(answer)) == (286, "CANCELED")
    assert [row.number for row in answer.context["window"].runs] == list(range(50, 150))


def test_a_bulk_run_that_ends_stops_its_page() -> None:
    world = build_world()
    bulk = start_bulk("cancel", Job.objects.filter(pk=world.get("waiting"))).pk
    path = build("django_wfe_bulkrun_change", bulk)
    assert sign_in_superuser().get(path, **ASKS).status_code == 200
    BulkRun.objects.filter(pk=bulk).update(state="FINISHED")
    assert sign_in_superuser().get(path, **ASKS).status_code == 286


def test_a_fragment_brings_the_data_only_of_step_runs_that_may_be_news() -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    client, path = sign_in_superuser(), build("django_wfe_job_change", job_id)

    def list_numbers(query: str) -> list[int]:
        rows = re.findall(r'<tr id="run-(\d+)-', client.get(path + query, **ASKS).content.decode())
        return [int(number) for number in rows]

    assert list_numbers("") == [0, 1, 2]
    assert list_numbers("?newest=2") == [2]
    assert list_numbers("?newest=junk") == [0, 1, 2]
    rerun_job(job_id, 1)
    assert list_numbers("?newest=3") == [1, 2, 3]  # what was superseded looks otherwise now


def test_the_job_page_costs_the_same_whatever_the_jobs_length() -> None:
    record(Looping)
    job_id = run_workflow(Looping)
    client, path = sign_in_superuser(), build("django_wfe_job_change", job_id)
    counts = {}
    for length in (20, 3000):
        lengthen(job_id, length)
        for query in ("", f"?newest={length - 1}", f"?before={length // 2}", "?node=tests.workflows.Count"):
            client.get(path + query)
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(path + query, **(ASKS if "newest" in query else {}))
            assert answer.status_code == 200
            assert len(answer.context["window"].runs) <= job_window.RUNS_SHOWN
            counts.setdefault(query.partition("=")[0], set()).add(len(queries))
    assert all(len(found) == 1 for found in counts.values()), counts
    assert max(map(max, counts.values())) <= 25, counts


def test_the_windows_of_a_history_meet_and_leave_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_window, "RUNS_SHOWN", 3)
    job_id = run_workflow(record(Failing))
    for _ in range(6):  # many attempts at one number lie in several windows
        StepRun.objects.filter(job_id=job_id, state="FAILED").update(superseded=False)
        retry_job(job_id)
        StepRun.objects.filter(job_id=job_id, state="READY").update(state="FAILED", error_type="ValueError")
        Job.objects.filter(pk=job_id).update(state="FAILED")
    everything = list(StepRun.objects.filter(job_id=job_id).order_by("number", "attempt").values_list("pk", flat=True))
    assert len(everything) == 9

    client, path = sign_in_superuser(), build("django_wfe_job_change", job_id)
    seen: list[list[int]] = []
    window = client.get(path).context["window"]
    assert window.is_newest
    while True:
        seen.insert(0, [run.pk for run in window.runs])
        if not window.older:
            break
        window = client.get(path + window.older).context["window"]
        assert not window.is_newest
    assert [pk for runs in seen for pk in runs] == everything
    steps = 0
    while window.newer:
        window = client.get(path + window.newer).context["window"]
        steps += 1
        assert steps < 9
    assert window.is_newest
    assert [run.pk for run in window.runs] == everything[-3:]


def test_a_node_leads_to_its_step_runs() -> None:
    job_id = run_workflow(record(Looping))
    client, path = sign_in_superuser(), build("django_wfe_job_change", job_id)
    page = read_page(client.get(path))
    link = next(link.address for link in page.links if "node=tests.workflows.Again" in link.address)
    page = read_page(client.get(link.partition("#")[0]))
    rows = [row.facts for row in page.rows if "attempt" in row.facts]
    assert {row["step"] for row in rows} == {"tests.workflows.Again"}
    assert len(rows) == job_window.RUNS_SHOWN
    assert "Only “Again”" in page.text
    assert page.find_link("Older").startswith(f"{path}?node=tests.workflows.Again&before=")
    page = read_page(client.get(path + "?node=os.system"))
    assert len({row.facts["step"] for row in page.rows if "attempt" in row.facts}) > 1


def test_the_grouped_overlay_is_the_one_of_all_rows() -> None:
    for workflow in (Asking, Failing, Linear, Looping):
        record(workflow)
    jobs = [run_workflow(workflow) for workflow in (Asking, Failing, Linear, Looping)]
    retry_job(jobs[1])
    run_ready(jobs[1])
    rerun_job(jobs[2], 2)
    run_ready(jobs[2])
    rerun_job(jobs[0], 1)
    for job in Job.objects.filter(pk__in=jobs).select_related("definition"):
        graph = job.definition.load_graph()
        rows = job.step_runs.values_list(*RUN_FIELDS, named=True)
        expected = build_job_overlay(graph, rows, job=job)
        assert build_grouped_overlay(graph, load_groups(job), load_visits(job), job=job) == expected
        assert expected.nodes


def start_log(job_id: int) -> StepRun:
    run = StepRun.objects.filter(job_id=job_id).latest("number")
    StepRun.objects.filter(pk=run.pk).update(state="RUNNING")
    JobLog.objects.filter(step_run=run).delete()
    return run


def read_after(response: Any) -> int:
    after: int = json.loads(response["HX-Trigger"])["wfe:tail"]["after"]
    return after


def test_the_tail_of_a_log_brings_what_is_new_and_ends_with_the_step_run() -> None:
    record(Asking)
    run = start_log(run_workflow(Asking))
    client, path = sign_in("view_job", "view_job_data"), build("django_wfe_job_log", run.job_id, run.pk)
    assert client.get(path + "?after=-1", **TAILS).status_code == 204
    JobLog.objects.create(step_run=run, sequence=0, text="<first>\n")
    JobLog.objects.create(step_run=run, sequence=1, text="second\n")
    answer = client.get(path + "?after=-1", **TAILS)
    assert answer.content.decode() == "&lt;first&gt;\nsecond\n"
    assert read_after(answer) == 1
    assert client.get(path + "?after=1", **TAILS).status_code == 204
    JobLog.objects.create(step_run=run, sequence=2, text="last\n")
    StepRun.objects.filter(pk=run.pk).update(state="FINISHED")
    answer = client.get(path + "?after=1", **TAILS)
    assert (answer.status_code, answer.content.decode()) == (286, "last\n")
    assert client.get(path + "?after=2", **TAILS).status_code == 286


def test_the_tail_of_a_log_has_the_rights_of_the_page() -> None:
    record(Asking)
    run = start_log(run_workflow(Asking))
    JobLog.objects.create(step_run=run, sequence=0, text="a secret")
    path = build("django_wfe_job_log", run.job_id, run.pk)
    assert Client().get(path, **TAILS).status_code == 401
    assert sign_in("view_job").get(path, **TAILS).status_code == 403
    assert sign_in("view_job_data").get(path, **TAILS).status_code == 403
    assert "a secret" not in sign_in("view_job").get(build("django_wfe_job_change", run.job_id)).content.decode()
    other = run_workflow(Asking)
    client = sign_in_superuser()
    assert client.get(build("django_wfe_job_log", other, run.pk), **TAILS).status_code == 404
    assert client.post(path).status_code == 405


def test_however_long_a_log_is_its_tail_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "TAIL_CHARACTERS", 100)
    record(Asking)
    run = start_log(run_workflow(Asking))
    JobLog.objects.bulk_create(JobLog(step_run=run, sequence=n, text=f"line {n:06}\n") for n in range(600))
    client = sign_in_superuser()
    with CaptureQueriesContext(connection) as queries:
        tail = log_tail.read_tail(run.pk)
    assert len(queries) == 2
    assert tail.text.endswith("line 000598\nline 000599\n")
    assert (len(tail.text), tail.after, tail.is_cut) == (100, 599, True)
    assert log_tail.read_tail(run.pk, after=597).text == "line 000598\nline 000599\n"
    assert not log_tail.read_tail(run.pk, after=597).is_cut
    JobLog.objects.create(step_run=run, sequence=600, text="x" * 5000 + "end")
    tail = log_tail.read_tail(run.pk, after=599)
    assert tail.text == "x" * 97 + "end"
    assert tail.is_cut
    page = client.get(build("django_wfe_job_change", run.job_id)).content.decode()
    assert "line 000599" not in page
    assert 'data-after="600"' in page
    assert build("django_wfe_steprun_log", run.pk) in page
