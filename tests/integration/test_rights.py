"""A Workflow that names groups is seen, started and operated by their members only."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.urls import reverse

from django_wfe import order_workflow_execution, provide_external_input
from django_wfe.engine.definitions import describe_workflow, record_workflow
from django_wfe.engine.lifecycle import cancel_job
from django_wfe.engine.rights import has_permission, list_visible_jobs, list_visible_workflows
from django_wfe.exceptions import PermissionRequired
from django_wfe.models import Job, JobState
from tests import workflows

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


def test_the_services_refuse_others_by_name_of_the_groups(guarded: Job) -> None:
    clerk = _make_user("clerk")
    with pytest.raises(PermissionRequired, match="auditors"):
        order_workflow_execution(guarded.workflow_id, actor=clerk)
    with pytest.raises(PermissionRequired, match="auditors"):
        cancel_job(guarded.pk, actor=clerk)
    with pytest.raises(PermissionRequired, match="auditors"):
        provide_external_input(guarded.pk, {"some_data": 1}, actor=clerk)
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


def test_the_groups_follow_the_declaration(guarded: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guarded, "groups", ("clerks",))
    record_workflow(describe_workflow(Guarded))
    assert set(list_visible_jobs(_make_user("clerk", "clerks"))) == {guarded}
