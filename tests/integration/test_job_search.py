"""Finding a Job by what the business calls it, from the box above every page."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.engine.queries.job_search import SHOWN, search_jobs
from django_wfe.models import Job, Workflow
from tests.support.doors.console import list_messages, read_page, record, sign_in, sign_in_superuser
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def start(key: str | None = None, workflow: type = Asking) -> int:
    return run_workflow(record(workflow), key=key)


def find(client: Client, term: str) -> str:
    """Where the box leads: the address of a Job, or of the page that shows several."""
    return str(client.get(reverse("admin:django_wfe_job_search"), {"q": term}, follow=True).request["PATH_INFO"])


def build_url(job_id: int) -> str:
    return reverse("admin:django_wfe_job_change", args=[job_id])


@pytest.mark.parametrize(
    "term", ["order-4711", "ORDER-4711", "order-47", " Order 4711 ", "4711", "#4711", "Order/4711"]
)
def test_the_only_job_that_is_meant_is_opened(term: str) -> None:
    job_id = start("Order-4711")
    start("order-5000")
    start()
    assert find(sign_in_superuser(), term) == build_url(job_id)


def test_a_number_that_is_an_id_and_a_part_of_keys_shows_both() -> None:
    by_id = start("invoice-1")
    by_key = start(f"order-{by_id}")
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_job_search"), {"q": str(by_id)}))
    assert [row.facts["job"] for row in page.rows if "job" in row.facts] == [str(by_id), str(by_key)]
    assert f"Exactly “{by_id}”" in page.text
    assert f"Keys with “{by_id}”" in page.text


def test_a_job_that_its_number_alone_names_is_opened_with_a_word_about_it() -> None:
    job_id = start("invoice-one")
    answered = sign_in_superuser().get(reverse("admin:django_wfe_job_search"), {"q": f"{job_id}"}, follow=True)
    assert answered.request["PATH_INFO"] == build_url(job_id)
    assert list_messages(answered) == [f"Found by its number: no key has {job_id} in it."]


def test_a_key_that_two_workflows_use_shows_both_and_longer_ones_below() -> None:
    first, second = start("batch"), start("batch", Linear)
    longer = start("batch-2")
    found = search_jobs(None, "BATCH")
    assert set(found.named) == {first, second}
    assert found.similar == (longer,)


def test_wildcards_are_letters_and_nothing_breaks_by_what_is_typed() -> None:
    start("100%_sure")
    start("100 percent")
    assert len(search_jobs(None, "100%_").ids) == 2, "one begins with it, the other has its number"
    assert search_jobs(None, "100%_s").only is not None
    for term in ("%", "_", "\\", "\0", "'", "x" * 256, "", "9" * 40, "é" * 200):
        assert search_jobs(None, term).ids == ()


def test_only_so_many_are_shown_and_the_page_says_so() -> None:
    workflow = record(Linear)
    rows = [Job(workflow=workflow, definition=workflow.current_definition, key=f"p-{n}") for n in range(SHOWN + 1)]
    Job.objects.bulk_create(rows)
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_job_search"), {"q": "P-"}))
    assert len([row for row in page.rows if "job" in row.facts]) == SHOWN
    assert "There are more than 50. Type more of the key." in page.text


def test_no_job_is_found_that_the_user_may_not_see() -> None:
    job_id = start("order-4711")
    Workflow.objects.update(groups=["managers"])
    client = sign_in("view_job")
    for term in ("order-4711", "4711", str(job_id), f"#{job_id}", str(Job.objects.get().uuid)):
        assert "No job found" in read_page(client.get(reverse("admin:django_wfe_job_search"), {"q": term})).text


def test_thousands_of_keys_are_not_read_to_find_one() -> None:
    workflow = record(Linear)
    rows = [Job(workflow=workflow, definition=workflow.current_definition, key=f"order-{n}") for n in range(5000)]
    Job.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_wfe_job")
        for term, index in (("order-4711", "wfe_job_key_begins"), ("4711", "wfe_job_key_numbers")):
            with CaptureQueriesContext(connection) as captured:
                assert len(search_jobs(None, term).ids) <= 2, "the other is the job of this number"
            plans = []
            for query in captured.captured_queries:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
            assert any(index in plan for plan in plans)
            assert not any("Seq Scan" in plan for plan in plans), plans
