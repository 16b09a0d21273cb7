"""Each export leaves a line: who took what, how many rows, in which format, when and from where."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.urls import reverse
from import_export.admin import ExportMixin

from django_wfe.admin.exports.files import StreamedCSV
from django_wfe.admin.exports.lists import ExportableJobs, ExportableStepRuns
from django_wfe.engine.access import count_seen, list_visible_exports
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.engine.operations.recording_exports import record_export
from django_wfe.models import Export, Job, StepRun, Workflow
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.workflows import Asking, Failing, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

JOBS, STEP_RUNS = "/admin/django_wfe/job/export/", "/admin/django_wfe/steprun/export/"


@pytest.fixture(autouse=True)
def jobs() -> None:
    for workflow in (Asking, Asking, Failing, Linear):
        record(workflow)
        run_workflow(workflow)


@pytest.mark.parametrize(
    ("address", "resource", "kind", "rows"),
    [
        (f"{JOBS}?state=INPUT_REQUIRED", "0", "jobs", Job.objects.filter(state="INPUT_REQUIRED")),
        (f"{JOBS}?q=1&workflow=1", "0", "jobs", Job.objects.none()),
        (STEP_RUNS, "0", "step_runs", StepRun.objects.all()),
        (f"{STEP_RUNS}?state=FAILED", "1", "step_runs_with_data", StepRun.objects.filter(state="FAILED")),
    ],
)
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_an_export_leaves_a_line(address: str, resource: str, kind: str, rows: Any, file_format: str) -> None:
    client = sign_in("view_job", "view_steprun", "view_job_data")
    user = User.objects.latest("pk")
    page = read_page(client.get(address))
    assert not Export.objects.exists(), "the page of the form is not an export"
    [form] = [form for form in page.forms if form.identifier == "export-form"]
    choice = next(value for value, text in form.get("format").options.items() if text == file_format)
    response = client.post(address, {"format": choice, "resource": resource})
    assert "attachment" in response["Content-Disposition"]
    line = Export.objects.get()
    assert (line.kind, line.file_format, line.total) == (kind, file_format, rows.count())
    assert (line.actor, line.actor_name, line.source) == (user, user.username, "admin")
    assert line.query == address.partition("?")[2]
    shown = read_page(sign_in_superuser().get(reverse("admin:django_wfe_export_change", args=[line.pk])))
    assert all(text in shown.text for text in (user.username, line.get_kind_display(), file_format, "admin"))
    history = read_page(sign_in_superuser().get(reverse("admin:django_wfe_export_history", args=[line.pk])))
    assert "Exported:" in history.text


def test_where_no_file_can_be_made_nothing_was_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: StreamedCSV, *arguments: Any) -> None:
        raise ValueError("no such letter in this encoding")

    monkeypatch.setattr(StreamedCSV, "write", fail)
    response = sign_in("view_job").post(JOBS, {"format": "0", "resource": "0"})
    assert "such letter in this" in response.content.decode()
    assert not Export.objects.exists()
    assert sign_in().post(JOBS, {"format": "0"}).status_code == 403
    assert not Export.objects.exists()


def test_every_list_that_can_be_exported_writes_the_line_first() -> None:
    exportable = [model_admin for model_admin in admin.site._registry.values() if isinstance(model_admin, ExportMixin)]
    assert {model_admin.model for model_admin in exportable if model_admin.opts.app_label == "django_wfe"} == {
        Job,
        StepRun,
    }
    for model_admin in exportable:
        writers = [base for base in type(model_admin).__mro__ if "_do_file_export" in vars(base)]
        assert writers[0] in ExportableJobs.__mro__
        assert writers[0] in ExportableStepRuns.__mro__


def test_the_lines_tell_outsiders_nothing_of_what_is_for_a_group() -> None:
    mixed = record_export(Job.objects.all(), kind="jobs", file_format="csv", query="state=open")
    record_export(StepRun.objects.filter(job__workflow__name="Asking"), kind="step_runs", file_format="csv")
    Workflow.objects.filter(name="Asking").update(groups=["auditors"])
    clerk = User.objects.get(pk=sign_in("view_export").session["_auth_user_id"])
    assert [(line.pk, count_seen(line)) for line in list_visible_exports(clerk)] == [(mixed.pk, 2)]
    clerk.groups.add(Group.objects.create(name="auditors"))
    auditor = User.objects.get(pk=clerk.pk)
    assert [count_seen(line) for line in list_visible_exports(auditor)] == [6, 4]
    assert not list_visible_exports(User.objects.create_user("stranger")).exists()
