"""Inputs and results on the console's pages: as a person reads them, the JSON beside, for those who may see them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from django_wfe import provide_external_input, run_workflow
from django_wfe.admin.elements.payloads import PREVIEW_CHARACTERS
from django_wfe.demo.workflows.purchase_approval import PurchaseApproval
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import Job, StepRun, StepRunState
from tests.support.doors.console import read_page, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

ITEM = {"description": "<b>Chair</b>", "quantity": 3, "unit_price": "199.90"}
REQUEST = {"requester": "Ada", "cost_centre": "office", "items": [ITEM], "needed_by": "2027-01-31", "note": "Soon"}


@pytest.fixture
def job() -> Job:
    """A purchase that waits for the team lead."""
    job = Job.objects.get(pk=run_workflow(PurchaseApproval))
    provide_external_input(job.pk, REQUEST)
    run_step_run(StepRun.objects.get(job=job, state=StepRunState.READY).pk)
    job.refresh_from_db()
    assert job.current_step.endswith("AskTeamLead")
    return job


def sign_in_with(*codenames: str) -> Client:
    user = User.objects.create_user("somebody", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def get_html(client: Client, name: str, *arguments: Any) -> str:
    response = client.get(reverse(f"admin:{name}", args=arguments))
    assert response.status_code == 200
    return response.content.decode()


def test_the_approver_reads_labels_and_values_in_the_order_of_the_form_and_the_json_is_folded(job: Job) -> None:
    client = sign_in_superuser()
    html = get_html(client, "django_wfe_job_input", job.pk)
    text = read_page(client.get(reverse("admin:django_wfe_job_input", args=[job.pk]))).text

    order = ["Requester", "Ada", "Cost centre", "Items", "Description", "Quantity", "Unit price", "Needed by", "Note"]
    places = [text.index(word) for word in [*order, "Total", "599.70", "As JSON"]]
    assert places == sorted(places)
    assert "&lt;b&gt;Chair&lt;/b&gt;" in html
    assert "<b>Chair" not in html
    assert re.search(r'<details class="wfe-fold wfe-json">\s*<summary>As JSON</summary>', html)
    assert "&quot;unit_price&quot;: &quot;199.90&quot;" in html


def test_pages_of_the_job_and_of_the_step_run_show_the_same(job: Job) -> None:
    run = StepRun.objects.get(job=job, step__endswith=".Total")
    client = sign_in_superuser()
    for html in (
        get_html(client, "django_wfe_job_change", job.pk),
        get_html(client, "django_wfe_steprun_change", run.pk),
    ):
        assert '<dt translate="no">Cost centre</dt>' in html
        assert 'data-label="Unit price"' in html
        assert "&quot;unit_price&quot;: &quot;199.90&quot;" in html


def test_who_may_not_see_the_data_sees_neither_values_nor_json(job: Job) -> None:
    client = sign_in_with("view_job", "view_steprun", "view_workflow", "provide_input_job")
    run = StepRun.objects.get(job=job, step__endswith=".Total")
    for html in (
        get_html(client, "django_wfe_job_input", job.pk),
        get_html(client, "django_wfe_job_change", job.pk),
        get_html(client, "django_wfe_steprun_change", run.pk),
    ):
        for hidden in ("Cost centre", "199.90", "599.70", "As JSON", "Chair"):
            assert hidden not in html


def test_a_result_that_is_cut_is_shown_as_the_json_that_there_is(job: Job) -> None:
    run = StepRun.objects.get(job=job, step__endswith=".RouteByAmount")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_wfe_steprun SET result = jsonb_build_object('cost_centre', repeat('x', %s)) WHERE id = %s",
            [PREVIEW_CHARACTERS, run.pk],
        )
    html = get_html(sign_in_superuser(), "django_wfe_job_input", job.pk)
    assert "<dt" not in html
    assert "&quot;cost_centre&quot;: &quot;xxx" in html
    assert "It is longer" in html
