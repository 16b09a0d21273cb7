"""The page of the statistics and its call: what they count, and for whom."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_wfe import run_workflow
from django_wfe.engine.lifecycle import provide_input
from django_wfe.engine.statistics.rollup import roll_up
from django_wfe.models import Definition, Job, Statistic, StatisticBucket, Workflow
from django_wfe.policies import Policy
from django_wfe.values.moments import get_now
from tests import workflows
from tests.support.doors.console import read_page, sign_in, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


class OwnJobs(Policy):
    """Shows people their own Jobs."""

    def visible(self, actor, jobs):
        return jobs.filter(created_by=actor)


def count_some() -> None:
    run_workflow(workflows.Linear)
    run_workflow(workflows.Failing)
    lead = User.objects.create_superuser("the lead")
    provide_input(run_workflow(workflows.Asking), {"some_data": 1}, actor=lead)
    while roll_up():
        pass


@pytest.mark.parametrize("period", ["24h", "7d", "30d", "90d"])
def test_the_page_counts_the_jobs_of_a_period(period: str) -> None:
    count_some()
    response = sign_in_superuser().get(reverse("admin:django_wfe_statistics"), {"period": period})
    read_page(response)
    figures = {name: (value, before) for name, value, before in response.context["figures"]}
    assert figures["Started"] == ("3", "0")
    assert figures["Success rate"] == ("50.0 %", "–")
    assert {node["label"] for node in response.context["nodes"]} >= {"Fetch", "Fail"}
    text = response.content.decode()
    assert "the lead" in text
    assert 'class="wfe-column wfe-column--finished"' in text
    assert 'class="wfe-line wfe-line--half"' in text
    table = sign_in_superuser().get(reverse("admin:django_wfe_statistics"), {"period": period, "format": "csv"})
    rows = table.content.decode().split()
    assert rows[0] == "since,started,finished,failed,canceled,duration_p50,duration_p95"
    counts, half, most = rows[-1].rsplit(",", 2)
    assert counts.endswith(",3,1,1,0")
    assert 0 < float(half) == float(most)


def test_one_workflow_is_counted_by_itself() -> None:
    count_some()
    pk = Workflow.objects.get(name="Failing").pk
    response = sign_in_superuser().get(reverse("admin:django_wfe_statistics"), {"workflow": pk})
    figures = {name: value for name, value, _before in response.context["figures"]}
    assert (figures["Started"], figures["Failed"]) == ("1", "1")


def test_without_the_right_to_data_nobody_is_named_and_closed_workflows_do_not_count() -> None:
    count_some()
    Workflow.objects.filter(name="Failing").update(groups=["board"])
    response = sign_in("view_job").get(reverse("admin:django_wfe_statistics"))
    figures = {name: value for name, value, _before in response.context["figures"]}
    assert (figures["Started"], figures["Failed"]) == ("2", "0")
    assert "the lead" not in response.content.decode()


def test_a_policy_that_narrows_jobs_leaves_no_numbers(settings) -> None:
    count_some()
    settings.WFE_POLICY = "tests.integration.test_statistics_page.OwnJobs"
    response = sign_in_superuser().get(reverse("admin:django_wfe_statistics"))
    assert response.status_code == 200
    assert "not available to you" in response.content.decode()
    assert "figures" not in response.context
    assert Job.objects.count() == 3


def test_rest_gives_the_same_numbers_and_refuses_whom_the_policy_narrows(settings) -> None:
    count_some()
    client = sign_in_superuser()
    body = client.get("/wfe/statistics", {"period": "24h"}).json()
    assert (body["sums"]["started"], body["sums"]["finished"], body["before"]["started"]) == (3, 1, 0)
    assert body["people"][0]["person"] == "the lead"
    assert sum(point["started"] for point in body["points"]) == 3
    assert client.get("/wfe/statistics", {"period": "1y"}).status_code == 400
    assert client.get("/wfe/statistics", {"workflow_id": "999999"}).status_code == 404
    settings.WFE_POLICY = "tests.integration.test_statistics_page.OwnJobs"
    assert client.get("/wfe/statistics").status_code == 403


@pytest.mark.parametrize("kind", ["work", "waiting", "failures"])
def test_the_graph_shows_where_time_goes_and_failures_come_from(kind: str) -> None:
    count_some()
    workflow = Workflow.objects.get(name="Failing")
    Statistic.objects.filter(workflow=workflow, node="tests.workflows.Fetch", measure="waited").update(seconds=5)
    address = reverse("admin:django_wfe_workflow_change", args=[workflow.pk])
    client = sign_in_superuser()
    plain = client.get(address)
    assert "wfe-heat--" not in str(plain.context["diagram"])
    assert read_page(plain).find_link("Failures") == f"{address}?heat=failures"
    warm = client.get(address, {"heat": kind, "period": "24h"})
    page = read_page(warm)
    drawn = str(warm.context["diagram"])
    hottest = next(node for node in drawn.split('<g class="wfe-node ') if "wfe-heat--5" in node)
    if kind == "failures":
        assert 'aria-label="Fail: 1 failure, 100 % of its attempts' in hottest
        assert "1 · 100 %" in hottest
        assert "wfe-heat--0" in drawn, "nothing failed at Fetch"
    else:
        assert "in all" in hottest
    assert "The stronger the colour of a step" in page.text
    assert page.find_link("30 days") == f"{address}?heat={kind}&period=30d"
    shown = client.get(reverse("admin:django_wfe_statistics"), {"workflow": workflow.pk, "heat": kind})
    assert "wfe-heat--5" in str(shown.context["diagram"])


def test_heat_is_for_those_who_may_see_statistics(settings) -> None:
    count_some()
    address = reverse("admin:django_wfe_workflow_change", args=[Workflow.objects.get(name="Failing").pk])
    without_jobs = sign_in("view_workflow").get(address, {"heat": "failures"})
    assert "wfe-heat" not in without_jobs.content.decode()
    assert "1 · 100 %" in sign_in("view_workflow", "view_job").get(address, {"heat": "failures"}).content.decode()
    settings.WFE_POLICY = "tests.integration.test_statistics_page.OwnJobs"
    assert "wfe-heat" not in sign_in_superuser().get(address, {"heat": "failures"}).content.decode()


def test_half_and_most_of_a_step_are_those_of_its_times() -> None:
    count_some()
    workflow = Workflow.objects.get(name="Linear")
    StatisticBucket.objects.all().delete()
    node = "tests.workflows.Fetch"
    for bucket, count in ((8, 10), (24, 9), (40, 1)):  # 2, 8 and 32 s
        StatisticBucket.objects.create(
            workflow=workflow, node=node, measure="done", is_day=False, since=get_now(), bucket=bucket, count=count
        )
    client = sign_in_superuser()
    response = client.get(reverse("admin:django_wfe_statistics"), {"workflow": workflow.pk})
    shown = next(row for row in response.context["nodes"] if row["path"] == node)
    assert (shown["half"], shown["most"]) == ("2.1 s", "8.4 s")
    body = client.get("/wfe/statistics", {"workflow_id": workflow.pk}).json()["nodes"][node]
    assert body["worked_p50"] == pytest.approx(2, rel=0.045)
    assert body["worked_p95"] == pytest.approx(8, rel=0.045)


def test_the_page_asks_as_often_whatever_there_is_and_by_an_index() -> None:
    count_some()
    client, address = sign_in_superuser(), reverse("admin:django_wfe_statistics")
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address, {"period": "24h"})
    fill_years()
    with CaptureQueriesContext(connection) as many:
        assert client.get(address, {"period": "24h"}).status_code == 200
    assert len(many) == len(few)
    asked = [query["sql"] for query in many if "django_wfe_statistic" in query["sql"]]
    assert len(asked) >= 5
    with connection.cursor() as cursor:
        for sql in asked:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Index" in plan, plan
            assert "Seq Scan on django_wfe_statistic" not in plan, plan


def fill_years() -> None:
    """Have sums of other workflows, nodes, hours and days."""
    row = Workflow.objects.get(name="Linear")
    now = get_now()
    shared = {"workflow": row, "measure": "done", "count": 1}
    for model, extra in ((Statistic, {"person": "", "seconds": 1.0}), (StatisticBucket, {"bucket": 3})):
        model.objects.bulk_create(
            model(node=f"shop.Step{node}", is_day=False, since=now - timedelta(hours=hour), **shared, **extra)
            for node in range(20)
            for hour in range(1, 800)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_wfe_statistic, django_wfe_statisticbucket")


def test_a_choice_of_the_version_keeps_the_heat() -> None:
    count_some()
    workflow = Workflow.objects.get(name="Failing")
    current = workflow.current_definition
    Definition.objects.create(workflow=workflow, fingerprint="0" * 64, graph=current.graph)
    failed = Job.objects.get(workflow=workflow)
    address = reverse("admin:django_wfe_workflow_change", args=[workflow.pk])
    old = Definition.objects.exclude(pk=current.pk).get(workflow=workflow)
    Job.objects.filter(pk=failed.pk).update(definition=old)
    page = read_page(sign_in_superuser().get(address, {"heat": "failures", "period": "24h"}))
    assert f"{address}?heat=failures&period=24h&definition={old.pk}" in {link.address for link in page.links}
    assert "in another version" not in page.text, "the heat is of all versions"
