"""What the console's pages say, and that nothing on them is more than text."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_wfe import steps, workflows
from django_wfe.admin.elements import payloads
from django_wfe.admin.jobs import window
from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import (
    assign_input,
    order_workflow_execution,
    pause_workflow,
    release_input,
    run_workflow,
)
from django_wfe.models import BulkItem, BulkRun, DefinitionModule, Job, JobEvent, Step, StepRun, Worker, Workflow
from django_wfe.rendering.diagram import layout
from tests.support.demo.pages import Page
from tests.support.doors.console import ADDRESSES, build_world, read_page, record, sign_in, sign_in_superuser
from tests.workflows import Asking, Failing, Linear, Looping

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

HOSTILE = "</pre><script>alert('wfe')</script><img src=x onerror=alert(1)>"


class Shout(steps.Step):
    """A step whose every word is hostile: </pre><script>alert('wfe')</script>"""

    label = "<script>alert('wfe')</script>"

    def execute(self, _input=None):
        print(HOSTILE)
        return {HOSTILE: [HOSTILE]}


class Throw(steps.Step):
    def execute(self, _input=None):
        raise type("<script>alert('wfe')</script>", (Exception,), {})(HOSTILE)


class Hostile(workflows.Workflow):
    """</p><script>alert('wfe')</script>"""

    label = "<script>alert('wfe')</script>"
    DIGRAPH = {steps.__start__: [Shout], Shout: [Throw]}


def open_job(job_id: int, query: str = "", **options: Any) -> Any:
    return sign_in_superuser().get(reverse("admin:django_wfe_job_change", args=[job_id]) + query, **options)


def test_whatever_a_step_or_a_user_wrote_is_shown_as_text() -> None:
    world = build_world()
    Workflow.objects.filter(pk=record(Hostile).pk).update(load_error=HOSTILE)
    other_id, job_id = run_workflow(Hostile), run_workflow(Hostile, key=HOSTILE)
    JobEvent.objects.filter(job_id=job_id).update(actor_name=HOSTILE[:200], data={"reason": HOSTILE})
    Worker.objects.update(hostname=HOSTILE, lacks={HOSTILE: HOSTILE})
    DefinitionModule.objects.create(path=HOSTILE, error=HOSTILE)
    failed = StepRun.objects.get(job_id=job_id, state="FAILED").pk
    ids = {**world.ids, "waiting": job_id, "failed": job_id, "failed_run": failed, "paused": other_id}
    ids["workflow"] = Job.objects.get(pk=job_id).workflow_id
    ids["event"] = JobEvent.objects.filter(job_id=job_id).latest("pk").pk
    ids["definition"] = Job.objects.get(pk=job_id).definition_id
    ids["fingerprint"] = StepRun.objects.get(pk=failed).fingerprint
    ids["bulk_run"] = start_bulk("retry", Job.objects.filter(pk=job_id), reason=HOSTILE).pk
    BulkItem.objects.update(message=HOSTILE)
    BulkRun.objects.update(actor_name=HOSTILE[:200], stop_reason=HOSTILE)
    Workflow.objects.filter(pk=ids["workflow"]).update(paused=True, pause_reason=HOSTILE, paused_by=HOSTILE)
    ids["step"] = Step.objects.get(name="Shout").pk
    client, shown = sign_in_superuser(), 0
    for address in ADDRESSES:
        if not address.gets or not address.is_page:
            continue
        response = client.get(
            reverse(f"admin:{address.name}", args=[ids.get(a, a) for a in address.arguments]), follow=True
        )
        html = read_page(response) and response.content.decode()
        assert "<script>alert" not in html, address
        assert "<img src=x" not in html, address
        shown += "&lt;script&gt;alert" in html
    assert shown > 10
    log = client.get(reverse("admin:django_wfe_steprun_log", args=[StepRun.objects.get(job_id=job_id, number=1).pk]))
    assert log["Content-Type"].startswith("text/plain")
    assert HOSTILE in log.content.decode()


def test_the_job_page_tells_what_each_step_run_did() -> None:
    job_id = run_workflow(record(Failing))
    page = read_page(open_job(job_id))
    rows = [row.facts for row in page.rows if "attempt" in row.facts]
    assert [(row["step"].rpartition(".")[2], row["state"]) for row in rows] == [
        ("__start__", "FINISHED"),
        ("Fetch", "FINISHED"),
        ("Fail", "FAILED"),
    ]
    assert page.facts["state"] == "FAILED"
    assert "ValueError" in page.text
    assert "attempt 1 fails" in page.text
    assert "fetched" in page.text
    assert "Fix the cause" in page.text


def test_long_results_and_logs_are_cut_and_the_step_runs_page_has_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = run_workflow(record(Linear))
    run = StepRun.objects.get(job_id=job_id, number=1)
    StepRun.objects.filter(pk=run.pk).update(result={"text": "x" * 50_000 + "the end"})
    run.logs.create(sequence=99, text="y" * 50_000 + "last line\n")
    html = open_job(job_id).content.decode()
    assert "the end" not in html
    assert "last line" in html
    assert "fetched" not in html
    assert len(html) < 120_000
    whole = sign_in_superuser().get(reverse("admin:django_wfe_steprun_change", args=[run.pk])).content.decode()
    assert "the end" in whole
    assert "fetched" in whole


def test_a_long_history_comes_a_window_at_a_time_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "RUNS_SHOWN", 10)
    job_id = run_workflow(record(Looping))
    page = read_page(open_job(job_id))
    numbers = [int(row.facts["number"]) for row in page.rows if "attempt" in row.facts]
    newest = Job.objects.get(pk=job_id).current_step_number
    assert numbers == list(range(newest - 9, newest + 1))
    older = page.find_link("?before=")
    page = read_page(open_job(job_id, "?" + older.partition("?")[2].partition("#")[0]))
    assert [int(row.facts["number"]) for row in page.rows if "attempt" in row.facts] == list(
        range(newest - 19, newest - 9)
    )
    page = read_page(open_job(job_id, "?before=5"))
    assert [int(row.facts["number"]) for row in page.rows if "attempt" in row.facts] == [0, 1, 2, 3, 4]
    assert read_page(open_job(job_id, "?before=junk")).facts["state"] == "FINISHED"


def test_many_step_runs_get_short_previews() -> None:
    assert payloads.choose_preview_size(20) == 20_000
    assert payloads.choose_preview_size(200) == 2_000


def test_without_graphviz_the_pages_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_dot", lambda: None)
    workflow = record(Linear)
    job_id = run_workflow(workflow)
    assert "pip install graphviz-pure" in read_page(open_job(job_id)).text
    page = sign_in_superuser().get(reverse("admin:django_wfe_workflow_change", args=[workflow.pk]))
    assert "pip install graphviz-pure" in read_page(page).text


def test_the_workflow_page_shows_graph_steps_schemas_counts_and_problems() -> None:
    workflow = record(Asking)
    run_workflow(Asking)
    run_workflow(Asking)
    Workflow.objects.filter(pk=workflow.pk).update(load_error="tests.workflows.Asking, node Ask: it is broken.")
    response = sign_in_superuser().get(reverse("admin:django_wfe_workflow_change", args=[workflow.pk]))
    page = read_page(response)
    assert "Waits for a number, and routes by it." in page.text
    assert "2 waiting for input" in page.text
    assert "some_data" in page.text
    assert "even → Left" in page.text
    assert "node Ask: it is broken." in page.text
    assert "<svg" in response.content.decode()
    assert any("current_step=tests.workflows.Ask" in link.address for link in page.links)


def test_the_home_says_what_needs_somebody_now() -> None:
    world = build_world()
    run_workflow(Failing)
    broken = Workflow.objects.get(name="Linear")
    Workflow.objects.filter(pk=broken.pk).update(load_error="it is broken")
    DefinitionModule.objects.create(path="shop.flows", error="shop.flows cannot be imported: no such module")
    StepRun.objects.filter(pk=world.get("failed_run")).update(error_type="shop.Refused")
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_console")))
    assert "1 job waits for you." in page.text
    assert "2 jobs failed." in page.text
    assert "2 definitions failed to load." in page.text
    DefinitionModule.objects.update(workflows=[broken.path])
    page_of_one = read_page(sign_in_superuser().get(reverse("admin:django_wfe_console")))
    assert "1 definition failed to load." in page_of_one.text, "its module tells of it as well"
    DefinitionModule.objects.all().delete()
    Workflow.objects.update(load_error="")
    calm = read_page(sign_in_superuser().get(reverse("admin:django_wfe_console")))
    assert "failed to load." not in calm.text
    assert f"Asking #{world.get('waiting')}" in page.text
    assert "it is broken" in page.text
    assert "shop.flows cannot be imported" in page.text
    assert "No step run waits for a worker." in page.text
    assert any(f"/job/{world.get('waiting')}/input/" in link.address for link in page.links)
    assert not any(f"/job/{world.get('paused')}/input/" in link.address for link in page.links)


def test_the_home_tells_what_waits_for_all_from_what_is_mine() -> None:
    record(Asking)
    mine, theirs, free = (run_workflow(Asking) for _ in range(3))
    runs = dict(StepRun.objects.filter(state="INPUT_REQUIRED").values_list("job_id", "pk"))
    ann, bob = (User.objects.create_superuser(name) for name in ("ann", "bob"))
    assign_input(runs[mine], ann)
    assign_input(runs[theirs], bob)
    client, address = Client(), reverse("admin:django_wfe_console")
    client.force_login(ann)

    def list_jobs(page: Page) -> dict[str, str]:
        return {row.facts["waiting-job"]: row.cells[3] for row in page.rows if "waiting-job" in row.facts}

    page = read_page(client.get(address))
    assert list_jobs(page) == {str(mine): "you", str(theirs): "bob", str(free): "nobody"}
    page = read_page(client.get(address + page.find_link("?waiting=mine").removeprefix(address)))
    assert list_jobs(page) == {str(mine): "you"}
    assert "Mine 1" in page.text
    news = client.get(address + "?waiting=mine", HTTP_HX_REQUEST="true", HTTP_HX_TRIGGER="wfe-live").content.decode()
    assert news.count("data-waiting-job") == 1, "a refresh keeps to it"
    assert 'hx-get="' + address + '?waiting=mine"' in news
    release_input(runs[mine], ann)
    page = read_page(client.get(address + "?waiting=mine"))
    assert "Nothing that waits is assigned to you." in page.text
    assert "All 3" in page.text
    viewer = read_page(sign_in("view_job").get(address + "?waiting=mine"))
    assert list(list_jobs(viewer).values()) == ["nobody", "bob", "nobody"]
    assert "Mine" not in viewer.text


def test_what_a_paused_workflow_holds_back_is_not_what_is_ready_longest() -> None:
    job_id = order_workflow_execution(record(Linear))
    address = reverse("admin:django_wfe_console")
    assert f"Linear #{job_id}" in read_page(sign_in_superuser().get(address)).text
    pause_workflow(Workflow.objects.get(jobs=job_id).pk)
    assert "No step run waits for a worker." in read_page(sign_in_superuser().get(address)).text


def test_failures_of_one_kind_are_one_incident() -> None:
    record(Failing)
    jobs = [run_workflow(Failing) for _ in range(3)]
    response = sign_in_superuser().get(reverse("admin:django_wfe_console"))
    [incident] = response.context["incidents"]
    assert (incident.jobs, incident.job_id, incident.label) == (3, max(jobs), "Fail")
    assert incident.first <= incident.last
    page = read_page(response)
    opened = [link.address for link in page.links if link.address.endswith(f"/incidents/{incident.fingerprint}/")]
    page = read_page(sign_in_superuser().get(opened[0]))
    listed = read_page(sign_in_superuser().get(page.find_link("?fingerprint=")))
    assert sum("#2 Fail" in link.text for link in listed.links) == 3


def test_the_home_says_when_no_worker_is_alive_and_what_is_ready_longest() -> None:
    job_id = run_workflow(record(Failing))
    read_page(sign_in_superuser().get(reverse("admin:django_wfe_console")))
    Worker.objects.update(last_seen=timezone.now() - timedelta(hours=1))
    StepRun.objects.filter(job_id=job_id, state="FAILED").update(state="READY", due_at=Now())
    Job.objects.filter(pk=job_id).update(state="ONGOING")
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_console")))
    assert page.find_link("No worker is alive.").endswith("#wfe-workers")
    assert "No worker has sent a heartbeat for 30 seconds." in page.text
    assert "The step run that has been ready longest" in page.text
    assert f"Failing #{job_id}" in page.text
    assert page.find_link("All workers") == reverse("admin:django_wfe_worker_changelist")
    assert "All workers" not in read_page(sign_in("view_job").get(reverse("admin:django_wfe_console"))).text
    Worker.objects.create(hostname="machine", pid=8)
    assert "No worker is alive." not in read_page(sign_in_superuser().get(reverse("admin:django_wfe_console"))).text


def test_the_admins_index_links_to_the_console_and_tells_what_waits() -> None:
    build_world()
    for address in ("/admin/", "/admin/django_wfe/"):
        page = read_page(sign_in("view_job", "provide_input_job").get(address))
        assert "1 job waits for you." in page.text
        assert page.find_link("1 job waits") == "/admin/django_wfe/job/inbox/"
        assert "1 job waits for input." in read_page(sign_in("view_job").get(address)).text
    assert "wfe-index-block" not in sign_in().get("/admin/").content.decode()
    assert "wfe-index-block" not in sign_in("view_workflow").get("/admin/django_wfe/").content.decode()


def test_the_pages_are_well_without_any_data() -> None:
    client = sign_in_superuser()
    for address in ADDRESSES:
        if address.gets and not address.arguments:
            read_page(client.get(reverse(f"admin:{address.name}")))
    text = read_page(client.get(reverse("admin:django_wfe_console"))).text
    for sentence in (
        "Nothing waits, and there are no failed jobs.",
        "No job waits for input.",
        "No failed jobs.",
        "No worker has sent a heartbeat for 30 seconds.",
        "No definition has been read yet. Start the watchdog",
    ):
        assert sentence in text


def test_a_job_that_waits_at_a_node_which_its_definition_lacks_still_has_its_pages() -> None:
    job_id = run_workflow(record(Asking))
    StepRun.objects.filter(job_id=job_id, state="INPUT_REQUIRED").update(step="tests.workflows.Gone")
    client = sign_in_superuser()
    assert read_page(open_job(job_id)).facts["state"] == "INPUT_REQUIRED"
    answered = client.get(reverse("admin:django_wfe_job_input", args=[job_id]), follow=True)
    assert "which is not a node of its definition" in read_page(answered).text
