"""The console's own navigation, on its pages and in the admin's, and the pages that refuse."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from django_wfe.engine.queries import attention
from tests.support.demo.pages import Page
from tests.support.doors.console import ADDRESSES, build_world, read_page, sign_in, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PLACES = ["Home", "Inbox", "Incidents", "Jobs", "Workflows", "Statistics"]


def list_places(content: str) -> list[str]:
    """The words of the links above the page, without what they count."""
    navigation = content.split('<nav class="wfe-nav"')[1].split("<details")[0].split("</nav>")[0]
    return [word.strip() for word in re.findall(r'<a href="[^>]*>([^<]*)', navigation)]


def test_every_page_of_the_console_has_the_navigation_and_the_search() -> None:
    world, client = build_world(), sign_in_superuser()
    for address in ADDRESSES:
        if address.gets and address.is_page:
            content = client.get(address.build(world)).content.decode()
            assert content.count('class="wfe-nav"') == 1, str(address)
            assert content.count('class="wfe-search"') == 1, str(address)


@pytest.mark.parametrize(
    ("name", "current"),
    [
        ("django_wfe_console", "Home"),
        ("django_wfe_inbox", "Inbox"),
        ("django_wfe_incidents", "Incidents"),
        ("django_wfe_job_changelist", "Jobs"),
        ("django_wfe_job_search", "Jobs"),
        ("django_wfe_workflow_changelist", "Workflows"),
        ("django_wfe_worker_changelist", "Workers"),
    ],
)
def test_the_page_that_is_shown_is_marked_once_above_and_once_aside(name: str, current: str) -> None:
    build_world()
    content = sign_in_superuser().get(reverse(f"admin:{name}")).content.decode()
    links = re.findall(r'<a href="[^"]*" aria-current="page">([^<]*)', content.split('id="content"')[0])
    assert [link.strip() for link in links] == [current, current]


def test_people_see_the_places_that_they_may_go_to() -> None:
    build_world()
    for rights, places in (
        (("view_job",), ["Home", "Incidents", "Jobs", "Statistics"]),
        (("view_job", "provide_input_job"), ["Home", "Inbox", "Incidents", "Jobs", "Statistics"]),
        (("view_workflow",), ["Workflows"]),
    ):
        address = "/admin/django_wfe/workflow/" if rights == ("view_workflow",) else "/admin/django_wfe/job/"
        content = sign_in(*rights).get(address).content.decode()
        assert list_places(content) == places
        assert ("wfe-search" in content) == ("view_job" in rights)


def test_what_needs_somebody_is_counted_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    build_world()
    client = sign_in_superuser()
    text = read_page(client.get("/admin/django_wfe/job/")).text
    assert "(1 job waits for input)" in text
    assert "(1 kind of failure)" in text
    monkeypatch.setattr(attention, "LOOKED_AT", 0)
    assert "(0+ kinds of failure)" not in read_page(client.get("/admin/django_wfe/job/")).text


def test_the_admins_index_and_sidebar_have_the_places_first_and_the_rest_below() -> None:
    page = read_page(sign_in_superuser().get("/admin/auth/user/"))
    links = [link.text for link in page.links]
    start = links.index("Workflow console")
    assert links[start + 1 : start + 8] == [*PLACES, "Workflow console: more"]
    assert "Step runs" in links[start + 8 :]


def test_no_breadcrumb_says_the_same_twice() -> None:
    world, client = build_world(), sign_in_superuser()
    for address in ADDRESSES:
        if address.gets and address.is_page:
            content = client.get(address.build(world)).content.decode()
            crumbs = re.split("</div>|</ol>", content.split('class="breadcrumbs">')[1])[0]
            words = [part.split("<")[0].strip() for part in crumbs.split(">")]
            named = [word for word in words if word and word not in ("&rsaquo;", "›")]
            assert len(named) == len(set(named)), f"{address}: {named}"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("get", "/admin/django_wfe/job/", 403, "You do not have the permission for this page"),
        ("get", "/admin/django_wfe/job/0/cancel/", 403, "You do not have the permission"),
        ("get", "/admin/django_wfe/workflow/987654/start/", 404, "There is no"),
        ("put", "/admin/django_wfe/workflow/", 405, "This page does not take the method PUT."),
    ],
)
def test_what_is_refused_is_told_in_the_admins_look_with_the_way_back(
    method: str, path: str, status: int, words: str
) -> None:
    client = sign_in("view_workflow", "add_job") if status != 405 else sign_in("view_job", "view_workflow")
    if status == 405:
        path = reverse("admin:django_wfe_incidents")
    response = getattr(client, method)(path)
    assert response.status_code == status
    page = Page(path, status, response.content.decode())
    assert page.violations == []
    assert words in page.text
    assert page.find_link("Back to") in ("/admin/", "/admin/django_wfe/workflow/console/")
    assert 'id="user-tools"' in response.content.decode()


def test_a_stranger_is_asked_to_sign_in_as_before() -> None:
    assert Client().get("/admin/django_wfe/job/").status_code == 302
    client = Client()
    client.force_login(User.objects.create_user("customer"))
    assert client.get("/admin/django_wfe/job/").status_code == 302
