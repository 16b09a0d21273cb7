"""Attributes and subjects through every door: the Job list and page, the inbox, REST, the command, a row's own page."""

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from django_wfe import order_workflow_execution
from django_wfe.admin.attributes.filter import AttributeFilter
from django_wfe.inlines import JobsInline
from django_wfe.models import BulkRun, Job, JobState, Workflow
from tests.declared.attribute_workflows import WORLD, Audit, Bare, Refund
from tests.support.running.engine_helpers import create_user, get_job, run, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LIST = "/admin/django_wfe/job/"


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    WORLD.clear()
    yield
    WORLD.clear()


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def client() -> Client:
    return sign_in(User.objects.create_superuser("boss"))


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def start(user: User | None = None, customer: str = "ACME", **others: Any) -> int:
    given = {"customer": customer, "user": user.pk if user else None, **others}
    return order_workflow_execution(Refund, input=given)


def list_ids(client: Client, query: str) -> list[int]:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return [job.pk for job in response.context["cl"].result_list]


def test_the_job_list_is_narrowed_by_attributes_and_subject(client: Client, ada: User) -> None:
    first, second, third = start(ada), start(customer="Miller & Sons"), start(ada, customer="Miller & Sons")
    order_workflow_execution(Bare)
    assert list_ids(client, "attribute=customer=ACME") == [first]
    assert list_ids(client, "attribute_name=customer&attribute_value=Miller+%26+Sons") == [third, second]
    assert list_ids(client, f"attribute=express=false&subject=auth.User:{ada.pk}") == [third, first]
    both = f"attribute=customer%3DMiller+%26+Sons&attribute=express:false&subject=auth.user:{ada.pk}&state=PENDING"
    assert list_ids(client, both) == [third]
    page = client.get(f"{LIST}?{both}").content.decode()
    assert "customer = Miller &amp; Sons ✕" in page
    assert f"User {ada.pk} ✕" in page
    for wrong in ("attribute=customer", "attribute==x", "subject=user", "subject=auth.user:x", "attribute=a%00b=1"):
        assert list_ids(client, wrong) == []
    assert "names no attribute" in client.get(f"{LIST}?attribute=customer").content.decode()


def test_each_chosen_attribute_has_an_address_without_it(client: Client) -> None:
    first, second = start(), start(customer="Miller")
    response = client.get(f"{LIST}?attribute=customer=ACME&attribute=express=false&state=PENDING")
    spec = next(spec for spec in response.context["cl"].filter_specs if isinstance(spec, AttributeFilter))
    (shown,) = spec.choices(response.context["cl"])
    without = {words: address.removeprefix("?") for words, address in shown["chosen"]}
    assert list_ids(client, without["express = false"]) == [first]
    assert list_ids(client, without["customer = ACME"]) == [second, first]
    assert list_ids(client, shown["without"].removeprefix("?")) == [second, first]
    # What the form sends on.
    assert ("attribute", "customer=ACME") in shown["others"]
    assert ("state", "PENDING") in shown["others"]


def test_a_list_without_attributes_has_no_such_filter(client: Client) -> None:
    order_workflow_execution(Bare)
    assert "attribute_name" not in client.get(LIST).content.decode()
    start()
    page = client.get(LIST).content.decode()
    assert '<option value="customer">' in page
    assert "customer <b>ACME</b>" in page


def test_the_page_of_a_job_says_first_what_it_is_about(client: Client, ada: User) -> None:
    job_id = start(ada, customer="<b>ACME</b>")
    page = client.get(f"{LIST}{job_id}/change/").content.decode()
    found_by = page[page.index('id="job-found-by"') : page.index('id="job-head"')]
    assert f'<a href="/admin/auth/user/{ada.pk}/change/">ada</a>' in found_by
    assert "&lt;b&gt;ACME&lt;/b&gt;" in found_by
    assert f"?attribute={quote('customer=<b>ACME</b>', safe='')}" in found_by
    # Who may not see the row sees its key; who may, sees its name.
    viewer = sign_in(create_user("viewer", "view_job"))
    page = viewer.get(f"{LIST}{job_id}/change/", follow=True).content.decode()
    assert "ada" not in page
    ada.delete()
    assert client.get(f"{LIST}{job_id}/change/").status_code == 200


@pytest.mark.parametrize("term", ["ACME", "attribute"])
def test_a_job_is_found_by_the_value_of_an_attribute(client: Client, term: str) -> None:
    first, _second = start(customer=term), start(customer="Miller")
    response = client.get(f"{LIST}find/?q={term}")
    assert response.headers["Location"] == f"{LIST}{first}/change/"
    third = start(customer=term)
    assert [job.pk for job in client.get(f"{LIST}find/?q={term}").context["similar"]] == [third, first]


def test_the_inbox_is_narrowed_by_an_attribute(client: Client) -> None:
    jobs = [run_ready(start(customer=name)) for name in ("ACME", "Miller", "ACME")]
    assert {job.state for job in jobs} == {JobState.INPUT_REQUIRED}
    inbox = reverse("admin:django_wfe_inbox")

    def list_shown(query: str) -> list[int]:
        sections = client.get(f"{inbox}?{query}").context["sections"]
        return [item.step_run.job_id for section in sections for item in section.items]

    assert list_shown("attribute=customer=ACME") == [jobs[0].pk, jobs[2].pk]
    tabs = client.get(f"{inbox}?attribute=customer=ACME").context["tabs"]
    assert [tab.count for tab in tabs] == ["2", "0", "2"]
    assert "attribute=customer%3DACME" in tabs[1].query
    page = client.get(f"{inbox}?attribute=nonsense").content.decode()
    assert "names no attribute" in page


def test_rest_shows_and_filters_by_them(client: Client, ada: User) -> None:
    first, second = start(ada), start(customer="Miller, Sons")
    job = client.get(f"/wfe/jobs/{first}/").json()
    assert job["attributes"] == {"amount": "1.50", "customer": "ACME", "express": "false", "on": "2026-01-31"}
    assert job["subject"] == {"model": "auth.user", "key": str(ada.pk)}

    def list_found(**query: Any) -> list[int]:
        return [found["id"] for found in client.get("/wfe/jobs/", query).json()["results"]]

    assert list_found(attribute="customer=Miller, Sons") == [second]
    assert list_found(attribute=["customer:ACME", "express=false"], subject=f"auth.User:{ada.pk}") == [first]
    assert client.get(f"/wfe/jobs/{second}/").json()["subject"] is None
    refused = client.get("/wfe/jobs/", {"attribute": "x", "subject": "y"})
    assert refused.status_code == 400
    assert set(refused.json()["errors"]) == {"attribute", "subject"}


def test_a_bulk_run_takes_the_jobs_that_have_an_attribute(client: Client, ada: User) -> None:
    first, _second = start(ada), start(customer="Miller")
    body = {"verb": "cancel", "filter": {"attribute": ["customer=ACME"], "subject": f"auth.user:{ada.pk}"}}
    answer = client.post("/wfe/bulk/", json.dumps(body), content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert list(BulkRun.objects.get().items.values_list("job_id", flat=True)) == [first]
    body["filter"] = {"attribute": ["customer"]}
    assert client.post("/wfe/bulk/", json.dumps(body), content_type="application/json").status_code == 400


def test_the_command_filters_by_them_and_shows_them(ada: User) -> None:
    first, second = start(ada), start(customer="Miller")

    def call(*arguments: str) -> Any:
        output = io.StringIO()
        call_command("wfe_job", *arguments, "--json", stdout=output)
        return json.loads(output.getvalue())

    assert [job["id"] for job in call("list", "--attribute", "customer=Miller")] == [second]
    found = call("list", "--subject", f"auth.User:{ada.pk}", "--attribute", "express=false")
    assert [job["id"] for job in found] == [first]
    assert found[0]["subject"] == f"auth.user:{ada.pk}"
    assert call("show", str(first))["attributes"]["customer"] == "ACME"
    call("cancel", "--attribute", "customer=Miller")
    assert list(BulkRun.objects.get().items.values_list("job_id", flat=True)) == [second]
    with pytest.raises(CommandError, match="names no attribute"):
        call("list", "--attribute", "customer")


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> type[JobsInline]:
    monkeypatch.setattr(type(admin.site._registry[User]), "inlines", [JobsInline])
    return JobsInline


def read_section(client: Client, row: User) -> str:
    page = client.get(f"/admin/auth/user/{row.pk}/change/").content.decode()
    return page[page.index('id="wfe-jobs"') : page.index("submit-row")] if 'id="wfe-jobs"' in page else ""


def test_a_row_has_its_jobs_on_its_page(client: Client, ada: User, inline: type[JobsInline]) -> None:
    assert "No jobs." in read_section(client, ada)
    first, _other = start(ada), start(User.objects.create_user("ben"))
    waiting = run(Audit) and run_ready(start(ada))
    section = read_section(client, ada)
    assert section.count("data-job=") == 2
    assert f'href="{LIST}{first}/change/"' in section
    back = quote(f"/admin/auth/user/{ada.pk}/change/", safe="")
    assert f'href="{LIST}{waiting.pk}/input/?next={back}"' in section
    assert f"/start/?subject=auth.user%3A{ada.pk}&amp;next={back}" in section
    assert section.count("Start:") == 1, "only the workflow of this subject"


def test_a_row_with_many_jobs_leads_to_the_list(
    client: Client, ada: User, inline: type[JobsInline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline, "shown", 2)
    jobs = [start(ada) for _ in range(3)]
    section = read_section(client, ada)
    assert section.count("data-job=") == 2
    address = f"{LIST}?subject=auth.user%3A{ada.pk}"
    assert f'href="{address}"' in section
    assert list_ids(client, address.partition("?")[2]) == jobs[::-1]


def test_the_page_of_a_row_is_saved_as_ever(client: Client, ada: User, inline: type[JobsInline]) -> None:
    start(ada)
    form = client.get(f"/admin/auth/user/{ada.pk}/change/").context["adminform"].form
    data = {name: value for name, value in form.initial.items() if value is not None and name != "password"}
    data |= {"first_name": "Ada", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", "groups": []}
    data |= {"user_permissions": [], "last_login_0": "", "last_login_1": ""}
    response = client.post(f"/admin/auth/user/{ada.pk}/change/", data)
    assert response.status_code == 302, response.context["errors"]
    ada.refresh_from_db()
    assert ada.first_name == "Ada"
    response = client.post(
        "/admin/auth/user/add/", {"username": "new", "password1": "s3cretpw!", "password2": "s3cretpw!"}
    )
    assert User.objects.filter(username="new").exists(), response.content


def test_people_see_of_it_what_they_may(client: Client, ada: User, inline: type[JobsInline]) -> None:
    waiting = run_ready(start(ada))
    staff = create_user("staff")
    staff.is_staff = True
    staff.save()
    staff.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert read_section(sign_in(staff), ada) == ""
    staff.user_permissions.add(Permission.objects.get(codename="view_job"))
    section = read_section(sign_in(staff), ada)
    assert f'data-job="{waiting.pk}"' in section
    assert "Give input" not in section
    assert "Start:" not in section
    closed = Group.objects.create(name="closed")
    Workflow.objects.update(groups=[closed.name])
    assert "data-job=" not in read_section(sign_in(staff), ada)


def test_a_start_from_the_page_is_filled_in_and_comes_back(client: Client, ada: User, inline: type[JobsInline]) -> None:
    run(Refund)
    workflow = Workflow.objects.get(path__endswith=".Refund")
    back = f"/admin/auth/user/{ada.pk}/change/"
    address = f"/admin/django_wfe/workflow/{workflow.pk}/start/?subject=auth.user:{ada.pk}&next={back}"
    page = client.get(address)
    assert 'value="ada"' in page.content.decode(), "the customer is suggested"
    assert f'href="{back}"' in page.content.decode()
    data = {"input-user": ada.pk, "input-customer": "ada", "input-amount": "2", "input-on": "2026-01-31", "key": ""}
    response = client.post(address, data)
    assert response.status_code == 302, response.content
    assert response.headers["Location"] == back
    assert Job.objects.about(ada).get().attributes["amount"] == "2"


def test_an_answer_from_the_page_comes_back(client: Client, ada: User) -> None:
    waiting, _other = run_ready(start(ada)), run_ready(start(ada))
    back = f"/admin/auth/user/{ada.pk}/change/"
    address = f"{LIST}{waiting.pk}/input/?next={quote(back)}"
    page = client.get(address)
    step_run = page.context["step_run"].pk
    assert "Back to where you came from" in page.content.decode()
    response = client.post(address, {"step_run": step_run, "input-is_right": "true"})
    assert response.headers["Location"] == back
    assert get_job(waiting.pk).state == JobState.INPUT_RECEIVED


@pytest.mark.parametrize(
    "elsewhere", ["https://example.org/", "//example.org/", "javascript:alert(1)", "\\\\example.org"]
)
def test_no_other_site_is_led_to(client: Client, elsewhere: str) -> None:
    waiting = run_ready(start())
    page = client.get(f"{LIST}{waiting.pk}/input/", {"next": elsewhere})
    assert page.context["place"].back == f"{LIST}{waiting.pk}/change/"
