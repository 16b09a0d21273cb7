"""The console's lists: filters, search, capped counts, exports, and nothing loaded that they do not show."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_wfe.admin.frame import paginator
from django_wfe.engine.lifecycle import cancel_job, run_workflow
from django_wfe.models import Job, StepRun, Workflow
from tests.support.doors.console import ADDRESSES, build_world, read_page, record, sign_in, sign_in_superuser
from tests.workflows import Asking, Failing, Linear, Looping

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LIST = "/admin/django_wfe/job/"
LISTS = [address for address in ADDRESSES if address.name.endswith(("_changelist", "_console"))]
PAYLOADS = ('"result"', '"external_data"', '"edited_input"', '"traceback"', '"graph"', '"layout"', '"data"')


def list_jobs(client: Client, query: str) -> list[int]:
    response = client.get(f"{LIST}?{query}")
    read_page(response)
    return [job.pk for job in response.context["cl"].result_list]


@pytest.mark.parametrize("address", LISTS, ids=str)
def test_a_list_asks_as_many_queries_for_one_row_as_for_many_and_loads_no_payload(address: Any) -> None:
    world = build_world()
    client, path = sign_in_superuser(), address.build(world)

    def ask() -> list[str]:
        client.get(path)  # content types and graphs are looked up once
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return [query["sql"] for query in captured]

    few = ask()
    for _ in range(10):
        for workflow in (Asking, Failing, Linear):
            run_workflow(workflow)
    many = ask()
    assert len(many) == len(few)
    for sql in many:
        selected = sql.partition(" FROM ")[0]
        assert not any(column in selected for column in PAYLOADS), sql


@pytest.mark.parametrize("address", [address for address in LISTS if address.name.endswith("changelist")], ids=str)
def test_no_address_sorts_a_list_by_a_column_that_has_no_index(address: Any) -> None:
    world = build_world()
    client, path = sign_in_superuser(), address.build(world)

    def read_order(query: str) -> Any:
        response = client.get(f"{path}?{query}")
        assert response.status_code == 200, query
        return response.context["cl"].queryset.query.order_by

    order = read_order("")
    for position in range(1 + len(client.get(path).context["cl"].list_display)):
        for query in (f"o={position}", f"o=-{position}", f"o=0.{position}", f"o={position}.x", f"o=9{position:04}"):
            assert read_order(query) == order, query


def test_a_project_may_let_people_sort_by_a_column_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    world = build_world()
    monkeypatch.setattr(site._registry[StepRun], "sortable_by", ("error_type",))
    client, path = sign_in_superuser(), reverse("admin:django_wfe_steprun_changelist")
    columns = client.get(path).context["cl"].list_display
    position = columns.index("error_type")
    assert client.get(f"{path}?o=-{position}").context["cl"].queryset.query.order_by[0] == "-error_type"
    assert client.get(f"{path}?o={position - 1}").context["cl"].queryset.query.order_by[0] == "-id"
    assert world


@pytest.mark.parametrize("name", ["django_wfe_job_change", "django_wfe_workflow_change"])
def test_a_page_asks_as_many_queries_for_a_long_history_as_for_a_short_one(name: str) -> None:
    world = build_world()
    client = sign_in_superuser()

    def ask(job_id: int) -> int:
        path = reverse(f"admin:{name}", args=[job_id if "job" in name else world.get("workflow")])
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    few = ask(world.get("finished"))
    job = Job.objects.get(pk=world.get("finished"))
    runs = list(job.step_runs.order_by("number"))
    for number in range(4, 40):
        copy = runs[2]
        copy.pk, copy.number, copy._state.adding = None, number, True
        copy.save()
    for _ in range(10):
        run_workflow(Asking)
    assert ask(job.pk) == few


def test_jobs_are_filtered_by_state_workflow_and_node() -> None:
    record(Asking)
    waiting, canceled = run_workflow(Asking), run_workflow(Asking)
    cancel_job(canceled)
    failed, finished = run_workflow(record(Failing)), run_workflow(record(Linear))
    client = sign_in_superuser()
    assert list_jobs(client, "") == [finished, failed, canceled, waiting]
    assert list_jobs(client, "state=INPUT_REQUIRED") == [waiting]
    assert list_jobs(client, "state=open") == [failed, waiting]
    assert list_jobs(client, f"workflow={Workflow.objects.get(name='Asking').pk}") == [canceled, waiting]
    assert list_jobs(client, "current_step=tests.workflows.Fail") == [failed]
    assert list_jobs(client, "workflow=x") == []
    assert list_jobs(client, "mine=yes") == []


@pytest.mark.parametrize("term", ["{id}", "#{id}", "{uuid}", "order 7/8", " ORDER 7 ", "order-7", "8 7", "{uuid}:1"])
def test_a_job_is_found_by_id_uuid_key_a_part_of_it_or_idempotency_key(term: str) -> None:
    record(Asking)
    job = Job.objects.get(pk=run_workflow(Asking, key="order 7/8"))
    run_workflow(Asking, key="offer 77")
    query = urlencode({"q": term.format(id=job.pk, uuid=job.uuid)})
    assert list_jobs(sign_in_superuser(), query) == [job.pk]


@pytest.mark.parametrize(
    "term", ["rder", "77", "order 8", "00000000-0000-4000-8000-000000000000", "9" * 30, "-1", "'; drop table"]
)
def test_a_search_for_nothing_there_is_finds_nothing(term: str) -> None:
    run_workflow(record(Asking), key="order 7")
    assert list_jobs(sign_in_superuser(), f"q={term}") == []


def test_the_count_stops_at_the_cap_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for workflow in (Asking, Failing, Linear, Looping):
        record(workflow)
    monkeypatch.setattr(paginator, "CAP", 3)
    client = sign_in_superuser()
    with CaptureQueriesContext(connection) as captured:
        page = read_page(client.get("/admin/django_wfe/workflow/"))
    assert "There are more. The list goes to the first 3" in page.text
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"] and "steprun" not in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 4" in counts[0]


def test_jobs_are_exported_as_the_list_is_filtered() -> None:
    record(Asking)
    waiting = run_workflow(Asking, key="order 7")
    run_workflow(record(Linear))
    client = sign_in("view_job")
    page = read_page(client.get(f"{LIST}export/?state=INPUT_REQUIRED"))
    [form] = [form for form in page.forms if form.identifier == "export-form"]
    choice = next(value for value, text in form.get("format").options.items() if text == "csv")
    response = client.post(f"{LIST}export/?state=INPUT_REQUIRED", {"format": choice})
    header, row = response.content.decode().strip().splitlines()
    assert header.startswith("id,uuid,workflow__path,state")
    assert row.startswith(f"{waiting},")
    assert ",tests.workflows.Asking,INPUT_REQUIRED," in row


@pytest.mark.parametrize("may_see_data", [True, False])
def test_results_are_exported_only_by_those_who_may_see_them(*, may_see_data: bool) -> None:
    run_workflow(record(Linear))
    client = sign_in("view_job", "view_steprun", *(["view_job_data"] if may_see_data else []))
    address = "/admin/django_wfe/steprun/export/"
    assert ("result" in read_page(client.get(address)).text) == may_see_data
    with CaptureQueriesContext(connection) as captured:
        response = client.post(address, {"format": "0", "resource": "1"})
    assert (b"stored" in response.content) == may_see_data
    assert len(captured) < 15


def test_jobs_are_filtered_by_age_incident_and_node_and_the_address_keeps_it() -> None:
    record(Failing)
    old, failed = run_workflow(Failing), run_workflow(Failing)
    finished = run_workflow(record(Linear))
    Job.objects.filter(pk=old).update(created_at=timezone.now() - timedelta(hours=30))
    fingerprint = StepRun.objects.filter(state="FAILED").values_list("fingerprint", flat=True)[0]
    cancel_job(old)
    client = sign_in_superuser()
    assert list_jobs(client, "age=hour") == [finished, failed]
    assert list_jobs(client, "age=day&state=FAILED") == [failed]
    assert list_jobs(client, "age=week") == [finished, failed, old]
    assert list_jobs(client, f"incident={fingerprint}") == [failed]
    assert list_jobs(client, "incident=none") == []
    assert list_jobs(client, "current_step=tests.workflows.Store") == []
    assert list_jobs(client, "current_step=tests.workflows.Store&state=FINISHED") == [finished]
    for junk in ("age=x", "incident=%00", "current_step=%00", "state=x"):
        read_page(client.get(f"{LIST}?{junk}", follow=True))


def test_what_is_rare_among_many_jobs_has_an_index() -> None:
    workflow = record(Linear)
    run_workflow(Linear)
    job = Job.objects.get()
    Job.objects.bulk_create(
        Job(workflow=workflow, definition_id=job.definition_id, state="FINISHED", current_step="tests.workflows.Store")
        for _ in range(20_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_wfe_job")
    client = sign_in_superuser()
    for query, index in (
        ("state=CANCELED", "wfe_job_rare_state"),
        ("state=open", "wfe_job_open"),
        (f"state=open&workflow={workflow.pk}", "wfe_job_open"),
        ("state=FAILED", "wfe_job_open"),
        ("current_step=tests.workflows.Fail", "wfe_job_open"),
    ):
        plan = client.get(f"{LIST}?{query}").context["cl"].queryset[:50].explain()
        assert index in plan, query
        assert "Seq Scan on django_wfe_job" not in plan, query
