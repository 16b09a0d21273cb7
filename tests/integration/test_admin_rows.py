"""Every address of the console with no row, one and a hundred, under a strict policy: for whom, and at what cost."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import pause_job, run_workflow
from django_wfe.models import BulkItem, Definition, Job, JobEvent, StepRun, Worker, Workflow
from tests.support.doors.console import ADDRESSES, Address, World, build_world, read_page, sign_in, sign_in_superuser
from tests.workflows import Asking, Failing, Linear

pytestmark = [pytest.mark.survey, pytest.mark.integration, pytest.mark.django_db]

MANY = 100
POLICY = "django_wfe.demo.middleware.ContentSecurityPolicyMiddleware"
READ = [address for address in ADDRESSES if address.gets]
VIEWING = {right for address in ADDRESSES for right in address.permissions if right.startswith("view_")}
PEOPLE = {"superuser": sign_in_superuser, "viewer": lambda: sign_in(*VIEWING), "stranger": sign_in}


@pytest.mark.parametrize("person", PEOPLE)
def test_each_page_answers_and_costs_the_same_with_no_row_one_and_a_hundred(person: str, settings: Any) -> None:
    settings.MIDDLEWARE = [POLICY, *settings.MIDDLEWARE]
    client = PEOPLE[person]()
    none = {str(address): ask(client, address, World({})) for address in READ if not address.arguments}
    world = build_world()
    one = {str(address): ask(client, address, world) for address in READ}
    multiply(world)
    many = {str(address): ask(client, address, world) for address in READ}
    assert many == one
    for name, (status, queries) in none.items():
        assert status == one[name][0], name
        # An empty list asks why it is empty: whether a watchdog has ever read the definitions.
        assert queries <= one[name][1] + 2, name
    allowed = {str(address): set(address.permissions) <= VIEWING for address in READ}
    for name, (status, _) in one.items():
        expected = {"superuser": True, "viewer": allowed[name], "stranger": False}[person]
        assert status == (200 if expected else 403), name


def ask(client: Client, address: Address, world: World) -> tuple[int, int]:
    """Open a page; give the status of the answer, and how many queries it took."""
    path = address.build(world)
    client.get(path)  # content types, graphs and their layouts are looked up once
    with CaptureQueriesContext(connection) as captured:
        response = client.get(path)
    assert response.headers["Content-Security-Policy"] == "default-src 'self'"
    if response.status_code == 200 and address.is_page:
        read_page(response)
    return response.status_code, len(captured)


def multiply(world: World) -> None:
    """Make a hundred of each kind of row, and of what hangs on the rows of this world."""
    jobs = [run_workflow(workflow) for _ in range(MANY) for workflow in (Asking, Failing, Linear)]
    for job_id in jobs[::3]:
        pause_job(job_id)
    for _ in range(MANY):
        start_bulk("cancel", Job.objects.filter(pk=jobs[0]))
    Worker.objects.bulk_create(Worker(hostname="machine", pid=8 + number, threads=8) for number in range(MANY))
    workflow = Workflow.objects.get(pk=world.get("workflow"))
    graph = Definition.objects.get(pk=world.get("definition")).graph
    Definition.objects.bulk_create(
        Definition(workflow=workflow, fingerprint=f"{number:064}", graph=graph) for number in range(MANY)
    )
    Workflow.objects.bulk_create(
        Workflow(path=f"shop.Flow{number}", name=f"Flow{number}", current_definition_id=world.get("definition"))
        for number in range(MANY)
    )
    BulkItem.objects.bulk_create(BulkItem(bulk_run_id=world.get("bulk_run"), job_id=job_id) for job_id in jobs)
    for name in ("waiting", "failed"):
        job_id = world.get(name)
        JobEvent.objects.bulk_create(JobEvent(job_id=job_id, kind="retried", source="admin") for _ in range(MANY))
        run = StepRun.objects.get(job_id=job_id, number=1, attempt=1)
        for attempt in range(2, MANY):
            run.pk, run.attempt, run._state.adding, run.superseded = None, attempt, True, True
            run.save()
