"""A Workflow that names groups is seen, started and operated by their members only."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from django_wfe import order_workflow_execution, provide_external_input
from django_wfe.engine.access import (
    find_nodes_in_sight,
    has_permission,
    list_visible_jobs,
    list_visible_steps,
    list_visible_workflows,
)
from django_wfe.engine.lifecycle import cancel_job, pause_workflow, plan_starts
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.engine.queries.incidents import list_incidents
from django_wfe.exceptions import PermissionRequired, UnknownJob, UnknownWorkflow
from django_wfe.models import DefinitionModule, Job, JobState, Step, StepRun, Workflow
from tests import workflows
from tests.declared.hushed_workflows import HushedLinear
from tests.support.running.engine_helpers import run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

CODENAMES = ["view_workflow", "view_job", "add_job", "cancel_job", "provide_input_job", "view_job_data"]


class Guarded(workflows.Asking):
    """For the auditors."""

    groups = ("auditors",)


def _make_user(name: str, *groups: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=CODENAMES))
    for group in groups:
        user.groups.add(Group.objects.get_or_create(name=group)[0])
    return User.objects.get(pk=user.pk)


@pytest.fixture
def guarded() -> Job:
    record_workflow(describe_workflow(Guarded))
    job_id = order_workflow_execution("tests.integration.test_rights.Guarded")
    return Job.objects.select_related("workflow").get(pk=job_id)


@pytest.fixture
def open_job() -> Job:
    return Job.objects.get(pk=order_workflow_execution(workflows.Linear))


def test_members_see_and_others_do_not(guarded: Job, open_job: Job) -> None:
    auditor, clerk = _make_user("auditor", "auditors", "others"), _make_user("clerk", "others")
    assert set(list_visible_jobs(auditor)) == {guarded, open_job}
    assert set(list_visible_jobs(clerk)) == {open_job}
    assert set(list_visible_workflows(auditor).values_list("name", flat=True)) == {"Guarded", "Linear"}
    assert set(list_visible_workflows(clerk).values_list("name", flat=True)) == {"Linear"}
    assert has_permission(auditor, "django_wfe.cancel_job", guarded.workflow)
    assert not has_permission(clerk, "django_wfe.cancel_job", guarded.workflow)
    assert set(list_visible_jobs(User.objects.create_superuser("root"))) == {guarded, open_job}
    assert not list_visible_jobs(AnonymousUser()).exists()


def test_the_problems_of_a_module_are_not_for_those_who_may_not_see_a_workflow_of_it(guarded: Job) -> None:
    DefinitionModule.objects.create(path="payroll", workflows=[guarded.workflow.path], error="payroll.Secret is broken")
    DefinitionModule.objects.create(path="shop", error="shop cannot be imported")
    auditor, clerk = _make_user("auditor", "auditors"), _make_user("clerk")
    for user, seen in ((auditor, True), (clerk, False)):
        client = Client()
        client.force_login(user)
        page = client.get(reverse("admin:django_wfe_console")).content.decode()
        assert ("payroll.Secret" in page) is seen
        assert "shop cannot be imported" in page


def test_the_services_know_nothing_of_what_is_for_others(guarded: Job) -> None:
    """Neither that there is such a row, nor its path, nor whose it is; and no permission makes a difference."""
    for clerk in (_make_user("clerk"), User.objects.create_user("guest")):
        unknown = Job(pk=987654, workflow_id=987654)
        for call, kind in (
            (lambda job, actor: order_workflow_execution(job.workflow_id, actor=actor), UnknownWorkflow),
            (lambda job, actor: plan_starts(job.workflow_id, [], actor=actor), UnknownWorkflow),
            (lambda job, actor: pause_workflow(job.workflow_id, actor=actor), UnknownWorkflow),
            (lambda job, actor: cancel_job(job.pk, actor=actor), UnknownJob),
            (lambda job, actor: provide_external_input(job.pk, {"some_data": 1}, actor=actor), UnknownJob),
        ):
            told = []
            for job in (guarded, unknown):
                with pytest.raises(kind) as raised:
                    call(job, clerk)
                told.append(str(raised.value).replace(str(job.pk), "ID").replace(str(job.workflow_id), "ID"))
            assert told[0] == told[1]
    with pytest.raises(UnknownWorkflow) as by_path:
        order_workflow_execution("tests.integration.test_rights.Gaurded", actor=_make_user("typist"))
    assert "Guarded" not in str(by_path.value)
    with pytest.raises(UnknownWorkflow, match="Guarded"):
        order_workflow_execution("tests.integration.test_rights.Gaurded")
    cancel_job(guarded.pk, actor=_make_user("auditor", "auditors"))
    guarded.refresh_from_db()
    assert guarded.state == JobState.CANCELED


def test_console_and_rest_hide_what_others_may_not_see(client, guarded: Job) -> None:
    pages = [
        reverse("admin:django_wfe_job_change", args=[guarded.pk]),
        reverse("admin:django_wfe_job_verb", args=[guarded.pk, "cancel"]),
        reverse("admin:django_wfe_job_input", args=[guarded.pk]),
        reverse("admin:django_wfe_workflow_change", args=[guarded.workflow_id]),
        reverse("admin:django_wfe_workflow_start", args=[guarded.workflow_id]),
        f"/wfe/jobs/{guarded.pk}/",
        f"/wfe/workflows/{guarded.workflow_id}/",
    ]
    client.force_login(_make_user("clerk"))
    for page in pages:
        assert client.get(page).status_code in (302, 403, 404), page
    assert f"/job/{guarded.pk}/" not in client.get(reverse("admin:django_wfe_job_changelist")).content.decode()
    client.force_login(_make_user("auditor", "auditors"))
    assert client.get(pages[0]).status_code == 200


def test_an_incident_was_first_seen_when_the_user_could_have_seen_it(guarded: Job) -> None:
    """The same step failed in a workflow for others before."""
    first, second = (order_workflow_execution(workflows.Failing) for _ in range(2))
    for job_id in (first, second):
        run_ready(job_id)
    long_ago = timezone.now() - timedelta(days=9)
    StepRun.objects.filter(job=first, state="FAILED").update(finished_at=long_ago)
    Job.objects.filter(pk=first).update(workflow=guarded.workflow)
    clerk, auditor = _make_user("clerk"), _make_user("auditor", "auditors")
    [seen], [seen_by_auditor] = list_incidents(clerk), list_incidents(auditor)
    assert (seen.jobs, seen.first_seen > long_ago) == (1, True)
    assert (seen_by_auditor.jobs, seen_by_auditor.first_seen) == (2, long_ago)


def test_a_filter_does_not_tell_the_label_of_a_step_for_others(client, guarded: Job) -> None:
    Step.objects.filter(path="tests.workflows.Ask").update(label="Ask the chairman")
    page = f"{reverse('admin:django_wfe_job_changelist')}?current_step=tests.workflows.Ask"
    for user, is_told in ((_make_user("clerk"), False), (_make_user("auditor", "auditors"), True)):
        client.force_login(user)
        assert ("Ask the chairman" in client.get(page).content.decode()) is is_told


def test_a_step_is_in_sight_where_a_workflow_in_sight_has_it_now(guarded: Job) -> None:
    reader = User.objects.get(pk=create_user("view_step").pk)
    assert set(list_visible_steps(reader)) == set()
    assert find_nodes_in_sight(reader, ["tests.workflows.Ask", "shop.Unheard"]) == {"shop.Unheard"}
    asking = record_workflow(describe_workflow(workflows.Asking))
    assert "Ask" in list_visible_steps(reader).values_list("name", flat=True)
    Workflow.objects.filter(pk=asking.pk).update(groups=["others"])
    assert set(list_visible_steps(reader)) == set()
    assert list_visible_steps(User.objects.create_superuser("root")).exists()
    assert not list_visible_steps(_make_user("auditor", "auditors")).exists(), "without view_step"


def test_a_page_of_the_inbox_begins_after_no_step_run_for_others(client, guarded: Job) -> None:
    run_ready(guarded.pk)
    waiting = [run_ready(order_workflow_execution(workflows.Asking)).pk for _ in range(2)]
    hidden = StepRun.objects.get(job=guarded, state="INPUT_REQUIRED")
    StepRun.objects.filter(pk=hidden.pk).update(created_at=timezone.now() + timedelta(days=1))
    client.force_login(_make_user("clerk"))
    page = client.get(reverse("admin:django_wfe_inbox"), {"after": hidden.pk})
    assert [item.step_run.job_id for section in page.context["sections"] for item in section.items] == waiting


@pytest.mark.parametrize("name", ["HushedLinear", "tests.declared.hushed_workflows.HushedLinear"])
@pytest.mark.parametrize("action", ["start", "pause-workflow", "resume-workflow"])
def test_a_command_knows_no_name_of_what_is_for_others(settings, name: str, action: str) -> None:
    settings.WFE_WORKFLOWS = "tests.declared.hushed_workflows"
    clerk, told = _make_user("clerk", "clerks"), []
    record_workflow(describe_workflow(workflows.Linear))
    record_workflow(describe_workflow(HushedLinear))
    for asked in (name, name.replace("Linear", "Unheard")):
        with pytest.raises(CommandError) as raised:
            call_command("wfe_job", action, asked, "--user", clerk.username)
        assert raised.value.returncode == 1
        told.append(str(raised.value).replace(asked, "NAME"))
    assert told == ["There is no workflow NAME. There are: tests.workflows.Linear"] * 2


def test_the_groups_follow_the_declaration(guarded: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guarded, "groups", ("clerks",))
    record_workflow(describe_workflow(Guarded))
    assert set(list_visible_jobs(_make_user("clerk", "clerks"))) == {guarded}


@pytest.mark.parametrize("right", ["add_job", "run_workflow"])
def test_either_of_two_permissions_starts_jobs_wherever_they_start(right: str) -> None:
    workflow = record_workflow(describe_workflow(workflows.Linear))
    starter = create_user(right, "view_workflow")
    page, one, many = (build_page(workflow, name) for name in ("change", "start", "start_many"))
    console, rest = Client(), APIClient()
    console.force_login(starter)
    rest.force_login(starter)
    assert f'href="{one}"' in console.get(page).content.decode()
    assert console.get(one).status_code == console.get(many).status_code == 200
    assert console.post(one, {"key": "page"})["Location"] == page, "a job that they may not see is not a place to go"
    preview = console.post(many, {"file": ContentFile(b"key\nfile\n", "a.csv")})
    console.post(many, {"confirmed": preview.context["confirmed"]})
    assert rest.post("/wfe/jobs/", {"workflow_id": workflow.pk, "key": "rest"}, format="json").status_code == 201
    order_workflow_execution(workflow, key="python", actor=starter)
    call_command("wfe_job", "start", "Linear", "--key", "command", "--user", starter.username)
    assert set(Job.objects.values_list("key", "created_by")) == {
        (key, starter.pk) for key in ("page", "file", "rest", "python", "command")
    }


def test_who_holds_neither_starts_nothing_and_is_told_which_would_do() -> None:
    workflow = record_workflow(describe_workflow(workflows.Linear))
    reader = create_user("view_workflow", "view_job", "provide_input_job")
    console, rest = Client(), APIClient()
    console.force_login(reader)
    rest.force_login(reader)
    either = "“Can add job” or “Can run a workflow” (django_wfe.add_job, django_wfe.run_workflow)"
    page = console.get(build_page(workflow, "change")).content.decode()
    assert "You need the permission “Can add job” or “Can run a workflow” to start jobs of it." in page
    assert build_page(workflow, "start") not in page
    assert build_page(workflow, "start") not in console.get(reverse("admin:django_wfe_console")).content.decode()
    for name in ("start", "start_many"):
        assert console.get(build_page(workflow, name)).status_code == 403
        assert console.post(build_page(workflow, name), {"key": ""}).status_code == 403
    answer = rest.post("/wfe/jobs/", {"workflow_id": workflow.pk}, format="json")
    assert answer.status_code == 403
    assert either in answer.json()["detail"]
    with pytest.raises(PermissionRequired, match=re.escape(either)):
        order_workflow_execution(workflow, actor=reader)
    assert not Job.objects.exists()


def test_the_groups_of_a_workflow_hold_for_those_who_may_run_workflows(guarded: Job) -> None:
    runner = create_user("run_workflow", "view_workflow")
    with pytest.raises(UnknownWorkflow):
        order_workflow_execution(guarded.workflow_id, actor=runner)
    client = APIClient()
    client.force_login(runner)
    answer = client.post("/wfe/jobs/", {"workflow_id": guarded.workflow_id}, format="json")
    assert (answer.status_code, "auditors" in str(answer.json())) == (400, False)
    runner.groups.add(Group.objects.create(name="auditors"))
    member = User.objects.get(pk=runner.pk)
    assert order_workflow_execution(guarded.workflow_id, actor=member) != guarded.pk


def build_page(workflow: Workflow, name: str) -> str:
    return reverse(f"admin:django_wfe_workflow_{name}", args=[workflow.pk])


def create_user(*codenames: str) -> User:
    user = User.objects.create_user("-".join(codenames), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)
