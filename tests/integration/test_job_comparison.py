"""Two Jobs side by side: where they parted, what differed, and who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_wfe import steps, workflows
from django_wfe.engine.lifecycle import provide_external_input, run_workflow
from django_wfe.engine.queries import job_search
from django_wfe.models import Job, StepRun
from django_wfe.policies import Policy
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import run_ready
from tests.support.running.long_jobs import lengthen
from tests.workflows import Asking, Linear, Looping

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

price = {"now": 5}


class Look(steps.Step):
    def execute(self, _input: Any = None) -> dict[str, Any]:
        return {"price": price["now"], "shop": "ACME"}


class Pay(steps.Step):
    def execute(self, _input: Any) -> dict[str, Any]:
        if _input["price"] > 10:
            raise ValueError("too dear")
        return {"paid": _input["price"]}


class Shopping(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Look], Look: [Pay]}


def shop(amount: int) -> int:
    price["now"] = amount
    return run_workflow(Shopping)


def compare(job_id: int, other_id: int, client: Any = None) -> Any:
    return (client or sign_in_superuser()).get(reverse("admin:django_wfe_job_compare", args=[job_id, other_id]))


def test_a_failed_job_leads_to_a_good_one_and_to_what_they_differ_in() -> None:
    record(Shopping)
    good, failed = shop(5), shop(50)
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_job_change", args=[failed])))
    address = page.find_link("Compare with a good job")
    assert address == reverse("admin:django_wfe_job_compare", args=[failed, good])
    page = read_page(sign_in_superuser().get(address))
    assert "They parted at “Pay” (#2): here it is “failed”, there “done”." in page.text
    rows = {row.facts["step"].rpartition(".")[2]: row for row in page.rows if "step" in row.facts}
    assert "Result · Price 50 → 5" in " ".join(rows["Look"].cells[-1].split())
    assert "Shop" not in rows["Look"].cells[-1], "what is equal is not told"
    assert [name for name, row in rows.items() if "parting" in row.facts] == ["Pay"]


def test_ways_that_part_are_told_by_their_steps() -> None:
    record(Asking)
    jobs = [run_workflow(Asking) for _ in range(2)]
    for job_id, number in zip(jobs, (7, 8), strict=True):
        provide_external_input(job_id, {"some_data": number})
        run_ready(job_id)
    page = read_page(compare(*jobs))
    assert "this one went to “Right”, the other to “Left”" in page.text
    asked = next(row for row in page.rows if row.facts.get("step", "").endswith(".Ask"))
    assert "Input · Some data 7 → 8" in " ".join(asked.cells[-1].split())
    assert "Only one of them came by." in page.text
    same = read_page(compare(jobs[0], jobs[0]))
    assert "They went the same way" in same.text


def test_both_jobs_must_be_in_sight_and_of_one_workflow_and_data_needs_its_right() -> None:
    record(Shopping)
    good, failed = shop(5), shop(50)
    html = compare(failed, good, sign_in("view_job")).content.decode()
    assert "They parted at" in html
    assert "wfe-differs" not in html
    assert compare(failed, 10**9).status_code == 404
    assert compare(failed, run_workflow(record(Linear))).status_code == 404
    assert sign_in_superuser().post(reverse("admin:django_wfe_job_compare", args=[failed, good])).status_code == 405


def test_no_large_value_makes_the_page_large() -> None:
    record(Shopping)
    good, failed = shop(5), shop(50)
    numbers = list(range(100_000))
    StepRun.objects.filter(job_id=failed, number=1).update(result={"price": numbers})
    response = compare(failed, good)
    assert "Too large to be compared here." in response.content.decode()
    assert len(response.content) < 100_000


def test_long_jobs_are_compared_around_their_parting_at_one_cost() -> None:
    record(Looping)
    jobs = [run_workflow(Looping) for _ in range(2)]
    client, counts = sign_in_superuser(), set()
    for length in (50, 2000):
        for job_id in jobs:
            lengthen(job_id, length)
        StepRun.objects.filter(job_id=jobs[0], number=length - 20).update(state="FAILED")
        Job.objects.filter(pk=jobs[0]).update(state="FAILED")
        compare(*jobs, client)
        with CaptureQueriesContext(connection) as queries:
            response = compare(*jobs, client)
        counts.add(len(queries))
        page = read_page(response)
        assert f"(#{length - 20})" in page.text
        assert len([row for row in page.rows if "step" in row.facts]) <= 121
    assert len(counts) == 1


def test_any_other_job_of_the_workflow_is_found_to_compare_with() -> None:
    record(Shopping)
    one = run_workflow(Shopping, key="order-1")
    other, third = run_workflow(Shopping, key="order-2"), run_workflow(Shopping, key="order-21")
    stranger = run_workflow(record(Linear), key="order-3")
    client = sign_in_superuser()
    choice = reverse("admin:django_wfe_job_compare_choice", args=[one])
    assert (
        read_page(client.get(reverse("admin:django_wfe_job_change", args=[one]))).find_link("Compare with another job")
        == choice
    )
    newest = read_page(client.get(choice))
    addresses = {link.address for link in newest.links}
    assert reverse("admin:django_wfe_job_compare", args=[one, third]) in addresses
    assert reverse("admin:django_wfe_job_compare", args=[one, stranger]) not in addresses
    for term in ("order-21", f"#{third}", str(Job.objects.get(pk=third).uuid)):
        response = client.get(choice, {"other": term})
        assert response.headers["Location"] == reverse("admin:django_wfe_job_compare", args=[one, third])
    several = read_page(client.get(choice, {"other": "ORDER-2"}))
    addresses = {link.address for link in several.links}
    assert {reverse("admin:django_wfe_job_compare", args=[one, pk]) for pk in (other, third)} <= addresses
    for nothing in ("order-3", "order-1", "nothing", str(stranger)):
        assert "No other job of “Shopping” found" in read_page(client.get(choice, {"other": nothing})).text
    assert 'name="other"' in compare(one, other, client).content.decode(), "and on from there"


def test_where_many_keys_match_the_page_asks_for_more_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_search, "SHOWN", 1)
    record(Shopping)
    record(Linear)
    for number in range(3):
        run_workflow(Linear, key=f"order-{number}")
    one = run_workflow(Shopping, key="order-9")
    choice = reverse("admin:django_wfe_job_compare_choice", args=[one])
    page = read_page(sign_in_superuser().get(choice, {"other": "order-"}))
    assert "No other job of “Shopping” found" in page.text
    assert "Type more of the key." in page.text


def test_nobody_finds_a_job_to_compare_with_that_they_may_not_see(settings: Any) -> None:
    record(Shopping)
    one, _other = run_workflow(Shopping), run_workflow(Shopping, key="order-2")
    client = sign_in("view_job")
    Job.objects.filter(pk=one).update(created_by=None)
    settings.WFE_POLICY = "tests.integration.test_job_comparison.OnlyFirst"
    page = read_page(client.get(reverse("admin:django_wfe_job_compare_choice", args=[one]), {"other": "order-2"}))
    assert "No other job of “Shopping” found" in page.text


class OnlyFirst(Policy):
    """Shows everybody the first Job alone."""

    def visible(self, actor: Any, jobs: Any) -> Any:
        return jobs.filter(key__isnull=True)
