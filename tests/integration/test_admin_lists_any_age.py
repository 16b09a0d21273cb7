"""The console's lists go back as far as the rows do: page by page by key, and by days."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_wfe.admin.frame import lists
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.engine.queries.ages import find_id_at
from django_wfe.models import BulkRun, Job, JobEvent, StepRun, Workflow
from tests.support.doors.console import ADDRESSES, build_world, read_page, record, sign_in_superuser
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LIST = "/admin/django_wfe/job/"
BY_KEY = ("_job_changelist", "_steprun_changelist", "_jobevent_changelist", "_bulkrun_changelist", "_export_changelist")
BY_KEY += ("_definition_changelist", "_worker_changelist")
LONG_AGO = datetime(2023, 5, 17, 12, tzinfo=UTC)


def make_jobs(number: int, begin: datetime, apart: timedelta = timedelta(0), **values: Any) -> list[int]:
    """Make finished jobs, each with a step run and a line of history; give their ids, the oldest first."""
    workflow = record(Linear)
    if not Job.objects.filter(workflow=workflow).exists():
        run_workflow(Linear)
        Job.objects.all().delete()
    values = {"state": "FINISHED", "definition_id": workflow.current_definition_id, **values}
    moments = [begin + apart * position for position in range(number)]
    jobs = Job.objects.bulk_create(Job(workflow=workflow, created_at=moment, **values) for moment in moments)
    StepRun.objects.bulk_create(
        StepRun(job=job, number=1, step="tests.workflows.Store", state="FINISHED", created_at=job.created_at)
        for job in jobs
    )
    JobEvent.objects.bulk_create(JobEvent(job=job, kind="started", created_at=job.created_at) for job in jobs)
    return [job.pk for job in jobs]


def show(client: Client, address: str) -> Any:
    response = client.get(address)
    read_page(response)
    return response.context["cl"]


def follow(client: Client, address: str, link: str) -> list[list[int]]:
    """Go on by one of the links, up to the last page; give the ids of each page."""
    pages = []
    for _ in range(20):
        found = show(client, address)
        pages.append([row.pk for row in found.result_list])
        query = getattr(found, link)
        if not query:
            return pages
        address = address.partition("?")[0] + query
    raise AssertionError(pages)


def name_last(pages: list[list[int]]) -> str:
    return f"after={pages[-2][-1]}"


@pytest.fixture
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in (Job, StepRun, JobEvent):
        monkeypatch.setattr(site._registry[model], "list_per_page", 3)


@pytest.mark.usefixtures("_short_pages")
@pytest.mark.parametrize("days", ["", "from=2023-01-01&to=2023-12-31"])
def test_every_job_is_on_one_page_on_the_way_back_and_on_the_way_forth_whatever_comes_meanwhile(days: str) -> None:
    # Three of one moment: the id decides.
    jobs = [*make_jobs(3, LONG_AGO), *make_jobs(5, LONG_AGO + timedelta(days=1), timedelta(hours=1))]
    client = sign_in_superuser()

    back = follow(client, f"{LIST}?{days}", "older_url")
    assert back == [jobs[5:][::-1], jobs[2:5][::-1], jobs[:2][::-1]]

    new = make_jobs(2, LONG_AGO + timedelta(days=2))
    assert show(client, f"{LIST}?{days}&after={jobs[2]}").newest_url
    forth = follow(client, f"{LIST}?{days}&{name_last(back)}", "newer_url")
    # The last is the newest page, and whole.
    assert forth == [jobs[:2][::-1], jobs[2:5][::-1], jobs[5:][::-1], [new[1], new[0], jobs[7]]]
    assert not show(client, f"{LIST}?{days}").newest_url


@pytest.mark.usefixtures("_short_pages")
@pytest.mark.parametrize("days", ["", "from=2023-01-01"])
def test_a_page_stays_in_its_place_when_the_job_that_it_begins_after_is_deleted(days: str) -> None:
    jobs = make_jobs(6, LONG_AGO, timedelta(hours=1))
    Job.objects.filter(pk=jobs[3]).delete()
    found = show(sign_in_superuser(), f"{LIST}?{days}&after={jobs[3]}")
    assert [job.pk for job in found.result_list] == jobs[:3][::-1] if not days else jobs[:2][::-1]


@pytest.mark.usefixtures("_short_pages")
def test_the_links_keep_the_filters_and_a_filter_begins_at_the_newest_page() -> None:
    jobs = make_jobs(7, LONG_AGO, timedelta(hours=1))
    page = read_page(sign_in_superuser().get(f"{LIST}?state=FINISHED&after={jobs[5]}"))
    links = {link.text.strip("← →"): link.address.removeprefix(LIST) for link in page.links}
    assert links["Newest"] == "?state=FINISHED"
    assert links["Newer"] == f"?before={jobs[4]}&state=FINISHED"
    assert links["Older"] == f"?after={jobs[2]}&state=FINISHED"
    assert links["in the last hour"] == "?age=hour&state=FINISHED"
    assert "after" not in links["Export"]


@pytest.mark.parametrize("address", [address for address in ADDRESSES if address.name.endswith("_changelist")], ids=str)
def test_lists_of_what_is_made_all_the_time_go_by_key_and_no_page_of_them_is_numbered(address: Any) -> None:
    path = address.build(build_world())
    found = show(sign_in_superuser(), path)
    assert found.is_keyed == address.name.endswith(BY_KEY)
    if found.is_keyed:
        for query in ("after=1", "before=1", "before=999999999", "p=7", "all=", "after=x", "before=-1"):
            show(sign_in_superuser(), f"{path}?{query}")


def test_a_job_of_three_years_ago_is_found_by_its_day_and_by_its_id() -> None:
    make_jobs(5_000, LONG_AGO - timedelta(days=400), timedelta(hours=1))
    old = make_jobs(2, LONG_AGO)
    make_jobs(5_000, LONG_AGO + timedelta(days=1), timedelta(hours=1))
    Job.objects.exclude(pk__in=old).filter(created_at__date=LONG_AGO.date()).delete()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_wfe_job")
    client = sign_in_superuser()
    found = show(client, f"{LIST}?from=2023-05-17&to=2023-05-17")
    assert [job.pk for job in found.result_list] == old[::-1]
    assert found.count_text == "2"
    month = show(client, f"{LIST}?from=2023-05-01&to=2023-06-30")
    for rows in (
        month.queryset,
        month.queryset.filter(pk__lt=old[0]),
        month.queryset.filter(pk__gt=old[0]).order_by("id"),
    ):
        plan = rows[:51].explain()
        assert "Index Scan" in plan
        assert "django_wfe_job_pkey" in plan


@pytest.mark.parametrize("kind", ["job", "steprun", "jobevent"])
def test_days_are_those_of_the_readers_time_zone_and_both_are_included(kind: str, settings: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"  # 12 hours ahead in May
    timezone.deactivate()
    first = datetime(2023, 5, 16, 12, tzinfo=UTC)  # midnight there
    jobs = [make_jobs(1, first + timedelta(microseconds=shift))[0] for shift in (-1, 0)]
    jobs += [make_jobs(1, first + timedelta(days=2, microseconds=shift))[0] for shift in (-1, 0)]

    def list_found(query: str) -> list[int]:
        rows = show(client, f"/admin/django_wfe/{kind}/?{query}").result_list
        return [row.pk if kind == "job" else row.job_id for row in rows]

    client = sign_in_superuser()
    assert list_found("from=2023-05-17&to=2023-05-18") == [jobs[2], jobs[1]]
    assert list_found("from=2023-05-18") == [jobs[3], jobs[2]]
    assert list_found("to=2023-05-16") == [jobs[0]]
    page = read_page(client.get(f"/admin/django_wfe/{kind}/?from=2023-05-17"))
    assert "times in Pacific/Auckland" in page.text


@pytest.mark.parametrize("query", ["from=today", "to=2023-02-30", "from=2023-05-02&to=2023-05-01", "from=0001-01-01"])
def test_days_that_make_no_sense_find_nothing_and_the_page_says_why(query: str) -> None:
    make_jobs(1, LONG_AGO)
    client = sign_in_superuser()
    for kind in ("job", "steprun", "jobevent"):
        response = client.get(f"/admin/django_wfe/{kind}/?{query}")
        page = read_page(response)
        assert response.context["cl"].result_list == []
        assert "is no day" in page.text or "The first day lies after the last" in page.text


def test_the_days_filter_keeps_the_other_filters_and_leads_out_again() -> None:
    make_jobs(1, LONG_AGO)
    page = read_page(sign_in_superuser().get(f"{LIST}?state=FINISHED&from=2023-05-17&q="))
    form = page.find_form("from", "to")
    assert form.method.lower() == "get"
    assert dict(form.list_pairs()) == {"state": "FINISHED", "q": "", "from": "2023-05-17", "to": ""}
    assert {link.text: link.address for link in page.links}["Any day"] == f"{LIST}?q=&state=FINISHED"


def test_an_action_on_all_that_match_and_an_export_go_by_the_days_and_not_by_the_page() -> None:
    waiting = record(Asking)
    old = [run_workflow(Asking) for _ in range(3)]
    Job.objects.filter(pk__in=old).update(created_at=LONG_AGO)
    run_workflow(Asking)
    client, query = sign_in_superuser(), f"state=INPUT_REQUIRED&from=2023-05-17&to=2023-05-17&after={old[2]}"
    assert [job.pk for job in show(client, f"{LIST}?{query}").result_list] == [old[1], old[0]]

    posted = {"action": "cancel_selected", "_selected_action": old[0], "select_across": "1", "index": "0"}
    page = read_page(client.post(f"{LIST}?{query}", posted))
    assert "05/17/2023 – 05/17/2023" in page.text
    [form] = [form for form in page.forms if form.identifier == "verb-form"]
    answer = client.post(form.action, {**dict(form.list_pairs()), "reason": "old"})
    assert answer.status_code == 302
    assert BulkRun.objects.get().total == 3

    response = client.post(f"{LIST}export/?{query}", {"format": "0"})
    _header, *rows = response.content.decode().strip().splitlines()
    assert [int(row.partition(",")[0]) for row in rows] == old[::-1]
    assert Workflow.objects.filter(pk=waiting.pk).exists()


def test_show_all_stands_where_a_search_hides_something_and_nowhere_else() -> None:
    [job] = make_jobs(1, LONG_AGO)
    client = sign_in_superuser()
    assert "Show all" not in read_page(client.get(LIST)).text
    assert "Show all" not in read_page(client.get(f"{LIST}?state=FINISHED")).text
    assert "Show all" in read_page(client.get(f"{LIST}?q={job}")).text


def test_the_count_stops_and_the_action_on_all_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    make_jobs(4, LONG_AGO)
    monkeypatch.setattr(lists, "COUNTED", 3)
    page = read_page(sign_in_superuser().get(LIST))
    assert "3+ jobs" in page.text
    assert "Select all 3+ that match" in page.text


def test_the_id_of_a_moment_is_found_through_gaps_and_lies_where_the_rows_say() -> None:
    assert find_id_at(Job, LONG_AGO) == 0
    jobs = make_jobs(30, LONG_AGO, timedelta(minutes=1))
    Job.objects.filter(pk__in=[*jobs[3:9], *jobs[20:22]]).delete()
    times = dict(Job.objects.values_list("pk", "created_at"))
    for shift in range(-1, 32):
        moment = LONG_AGO + timedelta(minutes=shift)
        found = find_id_at(Job, moment)
        assert all((pk >= found) == (created >= moment) for pk, created in times.items()), shift
