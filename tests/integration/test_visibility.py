"""Each list of the console and of the REST API holds what ``engine.rights`` lists for the user, and nothing else."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db.models import Model
from django.test import Client, RequestFactory

from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.engine.access import VISIBLE, list_visible
from django_wfe.models import DefinitionModule, Job, Step, Workflow
from tests.declared.hushed_workflows import HushedAsking, HushedFailing, HushedLinear, HushedPaused
from tests.support.doors.console import build_world
from tests.support.doors.rights_sweep import create_person

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ADMINS = [model_admin for model_admin in admin.site._registry.values() if model_admin.opts.app_label == "django_wfe"]
PEOPLE: dict[str, Any] = {
    "nobody": lambda: AnonymousUser(),
    "without rights": lambda: create_person(groups=("auditors",)),
    "outside the group": lambda: create_person(*list_codenames(), groups=("clerks",)),
    "in the group": lambda: create_person(*list_codenames(), groups=("auditors",)),
    "not active": lambda: deactivate(create_person(*list_codenames(), groups=("auditors",))),
    "superuser": lambda: User.objects.create_superuser("root"),
    "superuser not active": lambda: deactivate(User.objects.create_superuser("former")),
}


@pytest.fixture
def user(request: pytest.FixtureRequest) -> Any:
    build_world()
    build_world(HushedAsking, HushedFailing, HushedLinear, HushedPaused)
    DefinitionModule.objects.create(path="hushed", workflows=["tests.declared.hushed_workflows.HushedAsking"])
    DefinitionModule.objects.create(path="open")
    return PEOPLE[request.param]()


def list_codenames() -> list[str]:
    return list(Permission.objects.filter(content_type__app_label="django_wfe").values_list("codename", flat=True))


def deactivate(user: User) -> User:
    user.is_active = False
    user.save()
    return user


def list_ids(rows: Any) -> set[Any]:
    return set(rows.values_list("pk", flat=True))


def test_each_model_of_the_console_is_listed_in_one_place() -> None:
    assert {model_admin.model for model_admin in ADMINS} <= set(VISIBLE)
    assert all(isinstance(model_admin, ConsoleAdmin) for model_admin in ADMINS)


@pytest.mark.parametrize("user", PEOPLE, indirect=True)
def test_each_page_of_the_console_has_its_rows_from_there(user: Any) -> None:
    request = RequestFactory().get("/")
    request.user = user
    for model_admin in ADMINS:
        assert list_ids(model_admin.get_queryset(request)) == list_ids(list_visible(model_admin.model, user))


@pytest.mark.parametrize("user", ["without rights", "outside the group", "in the group", "superuser"], indirect=True)
@pytest.mark.parametrize(("call", "model"), [("jobs", Job), ("workflows", Workflow), ("steps", Step)])
def test_each_list_of_the_api_has_its_rows_from_there(user: User, call: str, model: type[Model]) -> None:
    client = Client()
    client.force_login(user)
    answer = client.get(f"/wfe/{call}/")
    seen = list_ids(list_visible(model, user))
    if answer.status_code == 403:
        assert seen == set()
        return
    rows = answer.json()["results"] if call == "jobs" else answer.json()
    assert {row["id"] for row in rows} == seen
    assert seen


@pytest.mark.parametrize(
    ("user", "sees_open", "sees_hushed"),
    [
        ("nobody", False, False),
        ("without rights", False, False),
        ("outside the group", True, False),
        ("in the group", True, True),
        ("not active", False, False),
        ("superuser", True, True),
        ("superuser not active", False, False),
    ],
    indirect=["user"],
)
def test_what_belongs_to_a_workflow_is_seen_with_it(user: Any, sees_open: bool, sees_hushed: bool) -> None:
    every = {model: list_ids(list_visible(model, None)) for model in VISIBLE}
    hidden = {model: every[model] - list_ids(list_visible(model, user)) for model in VISIBLE}
    for model in VISIBLE:
        name = model.__name__
        assert (hidden[model] == set()) == (sees_hushed or (name == "Worker" and sees_open)), name
        assert (hidden[model] != every[model]) == sees_open, name
