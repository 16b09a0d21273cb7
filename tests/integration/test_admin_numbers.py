"""With a separator of thousands, and in German, every number that a machine reads has its digits and nothing else."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Job
from tests.support.doors.console import ADDRESSES, Address, World, build_world, sign_in_superuser
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PAGES = [address for address in ADDRESSES if address.gets and address.is_page]
POSTS = [address for address in ADDRESSES if address.posts]
SEQUENCES = ["job", "steprun", "jobevent", "bulkrun", "workflow", "definition", "step", "worker", "bulkitem"]

READ_BY_MACHINES = re.compile(
    r"\b(?:href|action|value|id|for|data-[a-z-]+|hx-get|x|y|x1|x2|y1|y2|cx|cy|r|rx|width|height|viewBox|points|d|"
    r'transform|colspan|rowspan|min|max|step|maxlength|size|datetime)="([^"]*)"'
)
SEPARATED = re.compile(r"(?<![\d.,])\d{1,3}(?:[.,\u00a0\u202f]\d{3})+(?![\d.,])")
"""A whole number in groups of three."""


@pytest.fixture(autouse=True)
def german(settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    settings.LANGUAGE_CODE = "de"


@pytest.fixture
def world() -> World:
    """A world whose ids have five digits."""
    with connection.cursor() as cursor:
        for number, name in enumerate(SEQUENCES):
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [f"django_wfe_{name}", 12_345 + 1_111 * number]
            )
    world = build_world()
    for _ in range(3):
        run_workflow(Asking)
        run_workflow(Linear)
    return world


def sign_in_german() -> Client:
    client = sign_in_superuser()
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    return client


def find_separated(html: str) -> list[str]:
    """Return the attributes of a page that hold a number with separators."""
    found = [match[0] for match in READ_BY_MACHINES.finditer(html) if SEPARATED.search(match[1])]
    # A path in a picture has pairs such as "12.345 678", which are coordinates.
    return [attribute for attribute in found if not re.match(r"(?:d|points|viewBox|transform)=", attribute)]


@pytest.mark.parametrize(
    "html", ['<a href="/job/12.346/">', '<tr data-number="1.234.567">', '<input value="12\u00a0346">']
)
def test_a_number_with_separators_would_be_found(html: str) -> None:
    assert find_separated(html)


def test_a_job_above_a_thousand_is_found_and_answered(world: World) -> None:
    client, job_id = sign_in_german(), world.get("waiting")
    assert job_id > 1_000
    listed = client.get(reverse("admin:django_wfe_job_changelist")).content.decode()
    address = reverse("admin:django_wfe_job_change", args=[job_id])
    assert f'href="{address}' in listed
    page = client.get(address).content.decode()
    answering = reverse("admin:django_wfe_job_input", args=[job_id])
    assert f'href="{answering}' in page
    form = client.get(answering).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(step_run)" value="([^"]*)"', form))
    client.post(answering, {"input-some_data": "1", **hidden})
    assert Job.objects.get(pk=job_id).state == "INPUT_RECEIVED"


@pytest.mark.survey
@pytest.mark.parametrize("address", PAGES, ids=str)
def test_no_address_id_or_figure_of_a_page_has_separators(address: Address, world: World) -> None:
    response = sign_in_german().get(address.build(world), follow=True)
    assert response.status_code == 200
    html = response.content.decode()
    assert 'lang="de"' in html
    assert find_separated(html) == []


@pytest.mark.survey
@pytest.mark.parametrize("address", POSTS, ids=str)
def test_what_a_page_offers_can_be_done(address: Address, world: World) -> None:
    job = address.arguments[0] if address.name == "django_wfe_job_verb" else ""
    client = sign_in_german()
    page = client.get(address.build(world)) if address.gets else None
    data = world.fill(address.data, job)
    if page is not None and page.context and "form" in page.context:
        # The hidden fields as the page has them.
        data |= dict(
            re.findall(r'<input type="hidden" name="(expected_[a-z]+|step_run)" value="([^"]*)"', page.content.decode())
        )
    response = client.post(address.build(world), data, follow=True)
    assert response.status_code == 200
    if address.name == "django_wfe_job_input":
        assert Job.objects.get(pk=world.get("waiting")).state == "INPUT_RECEIVED"
    if address.name == "django_wfe_job_verb":
        assert response.redirect_chain, "nothing was done"
