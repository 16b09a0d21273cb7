"""The verb of docs/extending.md: one class of a project, and it is there at every door."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.lifecycle import VERBS, cancel_job, list_verbs, run_workflow, start_bulk
from django_wfe.exceptions import PermissionRequired, UnknownWorkflow, WrongState
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent
from django_wfe.verbs import find_verb, unregister
from tests.declared.first_input_workflows import Ordered
from tests.support.documents.documented_shop import installed_shop
from tests.support.doors.console import list_messages, read_page, record
from tests.workflows import Asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LIST = "/admin/django_wfe/job/"


@pytest.fixture
def shop(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(tmp_path)
    with installed_shop(tmp_path) as models:
        yield models


@pytest.fixture
def job_id(shop: ModuleType) -> int:
    return make_order(shop)


@pytest.fixture
def ada(shop: ModuleType) -> User:
    """Somebody who may see jobs and escalate orders, and nothing else."""
    kind = ContentType.objects.get_for_model(shop.Order)
    permission = Permission.objects.create(content_type=kind, codename="escalate_order", name="Can escalate orders")
    user = User.objects.create_user("ada", is_staff=True)
    user.user_permissions.add(permission, Permission.objects.get(codename="view_job"))
    return user


@pytest.fixture
def client(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def make_order(shop: ModuleType) -> int:
    job_id = run_workflow(record(Asking))
    shop.Order.objects.create(job_id=job_id)
    return job_id


def read_targets(shop: ModuleType) -> list[str]:
    return list(shop.Order.objects.order_by("job_id").values_list("escalated_to", flat=True))


def read_entry(job_id: int) -> tuple[Any, ...]:
    event = JobEvent.objects.filter(job=job_id).latest("id")
    return event.kind, event.get_kind_display(), event.actor_name, event.source, event.data


def run_command(*arguments: Any) -> str:
    output = io.StringIO()
    call_command("wfe_job", *map(str, arguments), stdout=output, no_color=True)
    return output.getvalue()


def test_it_is_a_button_on_the_jobs_page_which_leads_to_a_form(shop: ModuleType, job_id: int, client: Client) -> None:
    url = reverse("admin:django_wfe_job_verb", args=[job_id, "escalate"])
    assert f'href="{url}"' in client.get(reverse("admin:django_wfe_job_change", args=[job_id])).content.decode()
    page = read_page(client.get(url))
    assert "The order is marked for whom you name. The job stays at “Ask”." in page.text
    assert "Escalate to" in page.text
    state = {"expected_state": "INPUT_REQUIRED"}
    empty = client.post(url, state)
    assert "Please correct this." in read_page(empty).text
    assert read_targets(shop) == [""]
    done = client.post(url, {**state, "options-to": "Grace", "reason": "The sum is high."}, follow=True)
    assert list_messages(done) == [f"{Job.objects.get(pk=job_id).title} was escalated."]
    assert read_targets(shop) == ["Grace"]
    assert read_entry(job_id) == (
        "escalate",
        "escalated",
        "ada",
        "admin",
        {"to": "Grace", "reason": "The sum is high."},
    )
    assert "escalated" in read_page(done).text


def test_without_its_permission_it_is_offered_nowhere(shop: ModuleType, job_id: int, client: Client, ada: User) -> None:
    ada.user_permissions.remove(Permission.objects.get(codename="escalate_order"))
    page = read_page(client.get(reverse("admin:django_wfe_job_change", args=[job_id])))
    assert "You need the permission “Can escalate orders”." in page.text
    assert client.get(reverse("admin:django_wfe_job_verb", args=[job_id, "escalate"])).status_code == 403
    assert "escalate_selected" not in client.get(LIST).content.decode()
    api = APIClient()
    api.force_authenticate(User.objects.get(pk=ada.pk))
    assert api.post(f"/wfe/jobs/{job_id}/escalate/", {"to": "Grace"}, format="json").status_code == 403
    with pytest.raises(CommandError):
        run_command("escalate", job_id, "--to", "Grace", "--user", "ada")
    with pytest.raises(PermissionRequired, match=r"shop\.escalate_order"):
        start_bulk("escalate", Job.objects.all(), actor=User.objects.get(pk=ada.pk))
    assert read_targets(shop) == [""]


def test_its_rule_holds_at_every_door(shop: ModuleType, job_id: int, client: Client, ada: User) -> None:
    cancel_job(job_id)
    refusal = "The job has ended: nobody has to look at it."
    assert refusal in read_page(client.get(reverse("admin:django_wfe_job_verb", args=[job_id, "escalate"]))).text
    [status] = [status for status in list_verbs(Job.objects.get(pk=job_id), ada) if status.verb.name == "escalate"]
    assert (status.allowed, status.reason, status.code) == (False, refusal, "ended")
    api = APIClient()
    api.force_authenticate(ada)
    answer = api.post(f"/wfe/jobs/{job_id}/escalate/", {"to": "Grace"}, format="json")
    assert (answer.status_code, answer.json()["detail"]) == (409, refusal)
    with pytest.raises(CommandError):
        run_command("escalate", job_id, "--to", "Grace")
    with pytest.raises(WrongState, match=refusal):
        find_verb("escalate").apply(job_id, to="Grace")
    assert read_targets(shop) == [""]


def test_what_only_the_row_tells_is_refused_and_nothing_is_done(shop: ModuleType) -> None:
    job_id = run_workflow(record(Asking))
    with pytest.raises(WrongState, match="No order belongs to this job"):
        find_verb("escalate").apply(job_id, to="Grace")
    assert JobEvent.objects.filter(kind="escalate").count() == 0


def test_rest_takes_its_options_and_says_what_is_wrong_with_them(shop: ModuleType, job_id: int, ada: User) -> None:
    api = APIClient()
    api.force_authenticate(ada)
    url = reverse("django_wfe:job_escalate", args=[job_id])
    for body, code, field in ({}, 400, "to"), ({"to": "Ada", "too": 1}, 400, "too"), ({"to": ""}, 422, "to"):
        answer = api.post(url, body, format="json")
        assert (answer.status_code, list(answer.json()["errors"])) == (code, [field])
    assert read_targets(shop) == [""]
    answer = api.post(url, {"to": "Grace", "reason": "Asked for by phone."}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "INPUT_REQUIRED")
    assert read_entry(job_id)[1:4] == ("escalated", "ada", "rest")


def test_the_shell_takes_its_options_too(shop: ModuleType, job_id: int) -> None:
    assert "Who has to look at the order." in read_help("escalate")
    assert "The order is marked for whom you name." in run_command("escalate", job_id, "--to", "Grace", "--dry-run")
    assert read_targets(shop) == [""]
    assert "done, it is INPUT_REQUIRED now" in run_command("escalate", job_id, "--to", "Grace", "--reason", "High.")
    assert read_targets(shop) == ["Grace"]
    assert read_entry(job_id)[3:] == ("command", {"to": "Grace", "reason": "High."})
    shown = json.loads(run_command("show", job_id, "--json"))
    assert {"verb": "escalate", "reason": ""} in shown["verbs"]


def test_the_list_offers_it_for_the_jobs_that_are_selected(shop: ModuleType, client: Client) -> None:
    jobs = [make_order(shop) for _ in range(2)]
    assert "Escalate selected jobs" in client.get(LIST).content.decode()
    preview = client.post(LIST, {"action": "escalate_selected", "_selected_action": jobs})
    [form] = [form for form in read_page(preview).forms if form.identifier == "verb-form"]
    data = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    assert read_targets(shop) == ["", ""]
    assert "Please" not in read_page(preview).text
    again = client.post(form.action, {**data, "options-to": ""})
    assert read_page(again).forms
    assert read_targets(shop) == ["", ""]
    done = client.post(form.action, {**data, "options-to": "Grace"}, follow=True)
    assert list_messages(done) == ["Escalate: done for 2 jobs."]
    assert read_targets(shop) == ["Grace", "Grace"]


def test_a_bulk_run_over_a_filter_does_it_with_its_options(shop: ModuleType, client: Client, ada: User) -> None:
    jobs = [make_order(shop) for _ in range(3)]
    without = run_workflow(record(Asking))
    chosen = {"action": "escalate_selected", "_selected_action": jobs, "select_across": "1"}
    [form] = [form for form in read_page(client.post(LIST, chosen)).forms if form.identifier == "verb-form"]
    data = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    assert BulkRun.objects.count() == 0
    client.post(form.action, {**data, "options-to": "Grace"})
    bulk = BulkRun.objects.get()
    assert (bulk.verb, bulk.options, bulk.actor) == ("escalate", {"to": "Grace"}, ada)
    work_on_bulk(bulk.pk)
    assert read_targets(shop) == ["Grace"] * 3
    assert BulkItem.objects.get(state=BulkItem.State.REFUSED).job_id == without
    page = read_page(client.get(reverse("admin:django_wfe_bulkrun_change", args=[bulk.pk])))
    assert "Escalate" in page.text
    assert "No order belongs to this job." in page.text


def test_rest_starts_a_bulk_run_with_its_options(shop: ModuleType, job_id: int, ada: User) -> None:
    api = APIClient()
    api.force_authenticate(ada)
    body: dict[str, Any] = {"verb": "escalate", "jobs": [job_id], "options": {}}
    answer = api.post("/wfe/bulk/", body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["options.to"])
    answer = api.post("/wfe/bulk/", {**body, "options": {"to": "Grace"}}, format="json")
    assert answer.status_code == 201
    work_on_bulk(answer.json()["id"])
    assert read_targets(shop) == ["Grace"]


def test_a_verb_that_is_gone_leaves_its_history_and_its_bulk_runs(
    shop: ModuleType, job_id: int, client: Client, ada: User
) -> None:
    find_verb("escalate").apply(job_id, to="Grace", actor=ada)
    bulk = start_bulk("escalate", Job.objects.all(), options={"to": "Grace"}, actor=ada)
    unregister("escalate")
    assert "escalate" not in VERBS
    assert read_entry(job_id)[:2] == ("escalate", "escalate")
    assert "escalate" in read_page(client.get(reverse("admin:django_wfe_job_change", args=[job_id]))).text
    work_on_bulk(bulk.pk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.items.get().state) == ("WAITING", "PENDING"), "a later release may know the verb again"
    url = reverse("admin:django_wfe_bulkrun_change", args=[bulk.pk])
    assert "This process does not know the verb “escalate”." in read_page(client.get(url)).text
    client.post(reverse("admin:django_wfe_bulkrun_stop", args=[bulk.pk]), {"reason": "Gone."})
    bulk.refresh_from_db()
    assert bulk.state == BulkRun.State.STOPPED
    assert client.get(reverse("admin:django_wfe_bulkrun_changelist")).status_code == 200


def test_entries_without_a_job_start_one_each_with_options_of_their_own(shop: ModuleType, client: Client) -> None:
    from shop.importing import import_orders

    workflow = record(Ordered)
    starter = User.objects.create_superuser("starter")
    rows = [(1, {"some_data": 10}), (2, {"some_data": 20}), (3, {"some_data": "none"})]
    bulk = import_orders(workflow, rows, starter)
    assert (bulk.total, bulk.shares) == (3, {str(workflow.pk): 3})
    assert Job.objects.count() == 0
    work_on_bulk(bulk.pk)
    items = list(bulk.items.order_by("id"))
    assert [item.key for item in items] == ["order 1", "order 2", "order 3"]
    assert [item.state for item in items] == ["DONE", "DONE", "REFUSED"]
    started = Job.objects.order_by("id")
    assert [item.job_id for item in items] == [*started.values_list("pk", flat=True), None]
    assert [job.key for job in started] == ["order 1", "order 2"]
    client.force_login(starter)
    text = read_page(client.get(reverse("admin:django_wfe_bulkrun_change", args=[bulk.pk]))).text
    assert all(item.key in text for item in items)
    api = APIClient()
    api.force_authenticate(starter)
    results = api.get(f"/wfe/bulk/{bulk.pk}/").json()["results"]
    assert [(result["key"], result["job"]) for result in results] == [(item.key, item.job_id) for item in items]
    assert "order 3" in run_command("bulk", bulk.pk)


def test_entries_without_a_job_ask_for_the_permission_again(shop: ModuleType, ada: User) -> None:
    from shop.importing import import_orders

    workflow = record(Ordered)
    rows = [(1, {"some_data": 10})]
    with pytest.raises(PermissionRequired, match=r"django_wfe\.add_job"):
        import_orders(workflow, rows, ada)
    ada.user_permissions.add(Permission.objects.get(codename="add_job"))
    bulk = import_orders(workflow, rows, User.objects.get(pk=ada.pk))
    ada.user_permissions.clear()
    work_on_bulk(bulk.pk)
    item = bulk.items.get()
    assert (item.state, item.job_id) == ("REFUSED", None)
    assert "django_wfe.add_job" in item.message
    workflow.groups = ["auditors"]
    workflow.save()
    with pytest.raises(UnknownWorkflow):
        import_orders(workflow, rows, User.objects.get(pk=ada.pk))


def test_entries_without_a_job_are_seen_by_whoever_sees_their_workflow(shop: ModuleType, client: Client) -> None:
    from shop.importing import import_orders

    workflow = record(Ordered)
    workflow.groups = ["auditors"]
    workflow.save()
    boss = User.objects.create_superuser("boss")
    bulk = import_orders(workflow, [(1, {})], boss)
    other = User.objects.create_user("other", is_staff=True)
    other.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "view_bulkrun"]))
    client.force_login(other)
    url = reverse("admin:django_wfe_bulkrun_change", args=[bulk.pk])
    assert client.get(url).status_code == 404
    other.groups.create(name="auditors")
    assert "order 1" in read_page(client.get(url)).text


def read_help(verb: str) -> str:
    from django.core.management import load_command_class

    parser = load_command_class("django_wfe", "wfe_job").create_parser("manage.py", "wfe_job")
    [actions] = [action for action in parser._actions if getattr(action, "choices", None) and "show" in action.choices]
    return " ".join(actions.choices[verb].format_help().split())
