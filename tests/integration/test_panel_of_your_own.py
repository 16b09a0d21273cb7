"""The panel of docs/extending.md, and what the page of a Job makes of one that fails."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import reverse

from django_wfe import panels, run_workflow
from django_wfe.models import Job
from tests.support.documents.documented_shop import installed_shop
from tests.support.doors.console import read_page, sign_in_superuser
from tests.support.running.engine_helpers import create_user
from tests.workflows import Asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

HOSTILE = "<script>alert(1)</script> \" ' {{ job }}"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(tmp_path)
    with installed_shop(tmp_path, "A panel of your own") as models:
        importlib.import_module("shop.panels")
        yield models
    panels.unregister("order")


@pytest.fixture
def job_id() -> int:
    return run_workflow(Asking)


@pytest.fixture
def registered() -> Iterator[Any]:
    """Registers panels for a test: ``registered(PanelClass)``."""
    names: list[str] = []

    def register(panel: type[panels.Panel]) -> None:
        panels.register(panel)
        names.append(panel.name)

    yield register
    for name in names:
        panels.unregister(name)


def read_job(client: Client, job_id: int) -> str:
    response = client.get(reverse("admin:django_wfe_job_change", args=[job_id]))
    assert response.status_code == 200
    return response.content.decode()


def test_it_shows_the_order_of_its_job_alone(shop: ModuleType, job_id: int) -> None:
    client = sign_in_superuser()
    assert "panel-order" not in read_job(client, job_id)
    order = shop.Order.objects.create(job_id=job_id, escalated_to=HOSTILE)
    page = read_page(client.get(reverse("admin:django_wfe_job_change", args=[job_id])))
    assert f"Order {order.pk} is escalated to {HOSTILE}." in page.text
    assert HOSTILE not in read_job(client, job_id)


def test_only_who_has_its_permission_sees_it(shop: ModuleType, job_id: int) -> None:
    shop.Order.objects.create(job_id=job_id)
    clerk = create_user("clerk", "view_job")
    User.objects.update(is_staff=True)
    client = Client()
    client.force_login(clerk)
    assert "panel-order" not in read_job(client, job_id)
    kind = ContentType.objects.get_for_model(shop.Order)
    clerk.user_permissions.add(Permission.objects.create(content_type=kind, codename="view_order", name="View"))
    assert "panel-order" in read_job(client, job_id)


class Broken(panels.Panel):
    name = "broken"
    title = "Broken"
    template_name = "shop/nowhere.html"


class Querying(panels.Panel):
    name = "querying"
    title = "Querying"
    template_name = "shop/nowhere.html"

    def applies_to(self, job: Job) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM django_wfe_job")
        return True


@pytest.mark.parametrize(
    ("panel", "error"), [(Broken, "TemplateDoesNotExist"), (Querying, "ProgrammingError")], ids=["template", "query"]
)
def test_one_that_fails_says_so_and_the_rest_of_the_page_is_there(
    registered, caplog: pytest.LogCaptureFixture, job_id: int, panel: type[panels.Panel], error: str
) -> None:
    registered(panel)
    text = read_job(sign_in_superuser(), job_id)
    assert f"This section cannot be shown: its code raised {error}." in text
    assert 'id="job-events-section"' in text
    assert f"The panel '{panel.name}' failed on the page of job {job_id}." in caplog.text


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"name": ""}, "name = ''"),
        ({"name": "My panel"}, "name = 'My panel': use small letters"),
        ({"name": "broken"}, "is registered already"),
        ({"title": ""}, "title is empty"),
        ({"template_name": ""}, "template_name is empty"),
        ({"permission": "view_order"}, "permission = 'view_order': write it as 'app.codename'"),
    ],
)
def test_what_cannot_be_a_panel_is_refused_when_it_is_registered(
    registered, attributes: dict[str, str], words: str
) -> None:
    registered(Broken)
    with pytest.raises(ValueError, match=words):
        panels.register(type("Wrong", (Broken,), {"name": "wrong", **attributes}))
    with pytest.raises(TypeError, match="is not a panel"):
        panels.register(Job)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="'wrong' is not a panel that was registered"):
        panels.unregister("wrong")
