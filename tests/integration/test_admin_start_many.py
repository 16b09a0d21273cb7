"""Starting many jobs from a file: the upload, the preview, the confirmation."""

import datetime
import io
import json
from typing import Any

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_wfe.admin.starting import many
from django_wfe.engine.lifecycle import start_job
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import Job, JobEvent, StepRun, Workflow
from tests.declared.inbox_workflows import Dating, Guarded, Numbering, Ordering
from tests.support.doors.console import describe_database, list_messages, read_page, record, sign_in
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

RIGHTS = ("view_workflow", "view_job", "add_job", "provide_input_job")
HOSTILE = "<script>alert('wfe')</script>"


@pytest.fixture
def ann() -> Client:
    return sign_in(*RIGHTS)


@pytest.fixture
def numbering() -> Workflow:
    return record(Numbering)


def build(workflow: Workflow) -> str:
    return reverse("admin:django_wfe_workflow_start_many", args=[workflow.pk])


def upload(client: Client, workflow: Workflow, content: str | bytes, name: str = "jobs.csv") -> Any:
    file = SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)
    return client.post(build(workflow), {"file": file})


def confirm(client: Client, workflow: Workflow, preview: Any, **options: Any) -> Any:
    packed = read_page(preview).find_form("confirmed").get("confirmed").values[0]
    return client.post(build(workflow), {"confirmed": packed}, **options)


def read_rows(response: Any) -> dict[int, str]:
    page = read_page(response)
    return {int(row.facts["row"]): row.facts["outcome"] for row in page.rows if "row" in row.facts}


def test_a_file_is_looked_at_row_by_row_and_started_when_that_is_confirmed(ann: Client, numbering: Workflow) -> None:
    known = start_job(numbering, key="known")
    page = read_page(ann.get(build(numbering)))
    assert "is its input for “Give a number”" in page.text
    assert [row.cells[0] for row in page.rows][-3:] == ["key", "some_data required", "day"]
    text = "key,some_data,day\nfirst,1,2026-01-31\nknown,2,\nfirst,3,\nwrong,x,\n,5,\n,,2026-01-31\n"
    preview = upload(ann, numbering, text)
    assert read_rows(preview) == {2: "start", 3: "known", 4: "refused", 5: "refused", 6: "start", 7: "refused"}
    page = read_page(preview)
    for sentence in (
        "2 jobs will be started.",
        "1 row was started before and is left alone.",
        "3 rows have errors and are left out.",
        "row 2 has the same key",
        "some_data: Input should be a valid integer",
        "some_data: Field required",
    ):
        assert sentence in page.text
    assert page.find_link(f"#{known.job_id}") == reverse("admin:django_wfe_job_change", args=[known.job_id])
    assert Job.objects.count() == 1

    answered = confirm(ann, numbering, preview, follow=True)
    assert list_messages(answered) == ["2 jobs were started."]
    assert answered.redirect_chain[-1][0].endswith(f"/job/?workflow={numbering.pk}")
    jobs = Job.objects.exclude(pk=known.job_id).order_by("pk")
    assert [job.state for job in jobs] == ["INPUT_RECEIVED", "INPUT_RECEIVED"]
    assert jobs[0].key == "first"
    given = StepRun.objects.filter(job__in=jobs, number=1).order_by("pk").values_list("external_data", flat=True)
    assert list(given) == [{"some_data": 1, "day": "2026-01-31"}, {"some_data": 5, "day": None}]
    events = JobEvent.objects.filter(job__in=jobs)
    assert {(event.source, event.actor) for event in events} == {("admin", jobs[0].created_by)}
    assert LogEntry.objects.filter(change_message="Started.").count() == 2


def test_a_second_click_starts_nothing_twice(ann: Client, numbering: Workflow) -> None:
    preview = upload(ann, numbering, "some_data\n1\n2\n")
    confirm(ann, numbering, preview)
    again = confirm(ann, numbering, preview, follow=True)
    assert list_messages(again)[-1] == "2 rows were started before; no other jobs were started for them."
    assert Job.objects.count() == 2
    confirm(ann, numbering, upload(ann, numbering, "some_data\n1\n2\n"))  # but the same file again, without keys, does
    assert Job.objects.count() == 4


def test_json_and_workbooks_are_read_too(ann: Client) -> None:
    ordering = record(Ordering)
    order = {"key": "a", "customer": "Ada", "address": {"city": "Uster"}, "lines": [{"article": "pen", "price": "1.5"}]}
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["key", "customer", "address.city"])
    book.active.append(["b", "Bob", "Bern"])
    book.save(stream)
    confirm(ann, ordering, upload(ann, ordering, json.dumps([order]), "a.json"))
    confirm(ann, ordering, upload(ann, ordering, stream.getvalue(), "a.xlsx"))
    given = StepRun.objects.filter(number=1).order_by("pk").values_list("external_data", flat=True)
    assert [(data["customer"], data["address"]["city"], len(data["lines"])) for data in given] == [
        ("Ada", "Uster", 1),
        ("Bob", "Bern", 0),
    ]


def test_what_a_file_does_not_show_is_told_before_anything_is_started(ann: Client) -> None:
    ordering, numbering = record(Ordering), record(Numbering)
    preview = upload(ann, ordering, "customer,address.city,address.citty,lines\nAda,Uster,x,\nBob,Bern,y,[1\n")
    page = read_page(preview)
    assert read_rows(preview) == {2: "start", 3: "refused"}
    assert "does not ask for these columns: address.citty" in page.text
    assert "D3: This is not JSON" in page.text
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["key", "some_data"])
    book.active.append(["#N/A", 1])
    book.active.append(["a", "=1+1"])
    book.active.append(["b", 2, "more"])
    book.active.append(["c", 3])
    book.active.title = "Now"
    book.create_sheet("Then")
    book.save(stream)
    preview = upload(ann, numbering, stream.getvalue(), "a.xlsx")
    page = read_page(preview)
    assert read_rows(preview) == {2: "refused", 3: "refused", 4: "refused", 5: "start"}
    for told in ("a.xlsx, sheet “Now”", "A2: it is the error #N/A", "B3: its formula", "C4: its column has no name"):
        assert told in page.text
    confirm(ann, numbering, preview)
    assert list(Job.objects.values_list("key", flat=True)) == ["c"]


def test_a_moment_of_a_file_is_in_the_time_zone_of_the_person(ann: Client) -> None:
    dating = record(Dating)
    confirm(ann, dating, upload(ann, dating, "at,aware\n2026-01-31T08:30,20260131\n"))
    refused = upload(ann, dating, "at,aware\n46053,2026-01-31\n2026-01-31,46053.5\n2026-01-31,2026-01-31\n")
    assert read_rows(refused) == {2: "refused", 3: "refused", 4: "start"}
    assert "at: A number is not a date and time. Write it as 2026-01-31T08:30." in read_page(refused).text
    [given] = StepRun.objects.filter(number=1).values_list("external_data", flat=True)
    zone = timezone.get_current_timezone()
    assert {name: datetime.datetime.fromisoformat(text) for name, text in given.items()} == {
        "at": datetime.datetime(2026, 1, 31, 8, 30, tzinfo=zone),
        "aware": datetime.datetime(2026, 1, 31, tzinfo=zone),
    }


def test_a_workflow_that_asks_nothing_at_first_starts_from_keys(ann: Client) -> None:
    linear = record(Linear)
    client = sign_in("view_workflow", "add_job")
    assert "begins with “Fetch”" in read_page(client.get(build(linear))).text
    preview = upload(client, linear, "key,colour\na,red\nb,blue\n")
    assert "these columns are not used: colour" in read_page(preview).text
    answered = confirm(client, linear, preview)
    assert answered["Location"] == reverse("admin:django_wfe_workflow_change", args=[linear.pk])
    assert set(Job.objects.values_list("key", "state")) == {("a", "PENDING"), ("b", "PENDING")}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"\xff\xfe", "ot a UTF-8"),
        ("a.exe", b"MZ", "cannot be read"),
        ("a.xlsx", b"PK\x03\x04 junk", "workbook cannot be read"),
        ("a.json", b'{"a": 1}', "not a list of objects"),
        ("a.csv", b"", "The submitted file is empty."),
        (f"{HOSTILE}.csv", b"some_data\n", "has no rows"),
    ],
)
def test_a_junk_file_starts_nothing_and_says_why(
    name: str, content: bytes, reason: str, ann: Client, numbering: Workflow
) -> None:
    response = upload(ann, numbering, content, name)
    page = read_page(response)
    assert reason in page.text
    assert "<script>" not in response.content.decode().replace("<script src", "")
    assert page.find_form("file") is not None
    assert not Job.objects.exists()


def test_whatever_stands_in_a_file_is_text(ann: Client) -> None:
    ordering = record(Ordering)
    header = f'key,customer,address.city,"{HOSTILE}"\n'
    response = upload(ann, ordering, f'{header}"{HOSTILE}",Ada,"{HOSTILE}",1\n"{HOSTILE}",{HOSTILE * 2},,\n')
    html = response.content.decode()
    assert read_rows(response) == {2: "start", 3: "refused"}
    assert HOSTILE not in html
    assert html.count("&lt;script&gt;alert") >= 3


@pytest.mark.parametrize(
    "change",
    [
        lambda packed, user, workflow: packed[:-1],
        lambda packed, user, workflow: "",
        lambda packed, user, workflow: signing.dumps({"user": user + 1, "workflow": workflow}, salt=many.SALT),
        lambda packed, user, workflow: signing.dumps({"user": user, "workflow": workflow + 1}, salt=many.SALT),
        lambda packed, user, workflow: signing.dumps({"user": user, "workflow": workflow}, salt="another"),
    ],
)
def test_a_confirmation_that_was_not_made_for_this_person_starts_nothing(
    change: Any, ann: Client, numbering: Workflow
) -> None:
    preview = upload(ann, numbering, "some_data\n1\n")
    packed = read_page(preview).find_form("confirmed").get("confirmed").values[0]
    before, user = describe_database(), int(ann.session["_auth_user_id"])
    answered = ann.post(build(numbering), {"confirmed": change(packed, user, numbering.pk)}, follow=True)
    assert "Choose the file again" in list_messages(answered)[-1]
    assert "Choose the file again" in list_messages(confirm(sign_in(*RIGHTS), numbering, preview, follow=True))[-1]
    assert describe_database() == before


def test_what_is_too_much_to_be_confirmed_is_said_on_the_preview(ann: Client, numbering: Workflow) -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10_100):
        assert "Split the file" in read_page(upload(ann, numbering, "some_data\n1\n")).text


def test_only_who_may_see_start_and_answer_may_start_many(numbering: Workflow) -> None:
    for missing in RIGHTS:
        client = sign_in(*(set(RIGHTS) - {missing}))
        answer = upload(client, numbering, "some_data\n1\n")
        if missing == "provide_input_job":
            assert "you do not have the permission to provide input" in read_page(answer).text
        elif missing == "view_job":
            assert confirm(client, numbering, answer).status_code == 302
        else:
            assert answer.status_code == 403, missing
    assert Job.objects.count() == 1
    guarded, client = record(Guarded), sign_in(*RIGHTS)
    assert upload(client, guarded, "some_data\n1\n").status_code == 404
    User.objects.get(pk=client.session["_auth_user_id"]).groups.add(Group.objects.create(name="auditors"))
    assert confirm(client, guarded, upload(client, guarded, "some_data\n1\n")).status_code == 302
    assert Job.objects.count() == 2


def test_a_workflow_that_cannot_start_says_why_and_takes_no_file(
    ann: Client, numbering: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = upload(ann, numbering, "some_data\n1\n")
    Workflow.objects.filter(pk=numbering.pk).update(deleted=True)
    page = read_page(upload(ann, numbering, "some_data\n1\n"))
    assert "no longer declared" in page.text
    assert "no longer declared" in read_page(confirm(ann, numbering, preview)).text
    Workflow.objects.filter(pk=numbering.pk).update(deleted=False, paused=True)
    assert "no step of a job begins until it is resumed" in read_page(upload(ann, numbering, "some_data\n1\n")).text
    Workflow.objects.filter(pk=numbering.pk).update(paused=False)

    def refuse(path: str) -> None:
        raise CodeNotLoaded(f"{path} cannot be imported: it is gone.")

    monkeypatch.setattr("django_wfe.engine.operations.starting_many.load_node", refuse)
    assert "it is gone" in read_page(upload(ann, numbering, "some_data\n1\n")).text
    assert "it is gone" in list_messages(confirm(ann, numbering, preview, follow=True))[-1]
    assert not Job.objects.exists()


def test_a_preview_costs_as_many_queries_for_one_row_as_for_a_thousand(ann: Client, numbering: Workflow) -> None:
    def ask(rows: int) -> int:
        text = "key,some_data\n" + "".join(f"k{number},{number}\n" for number in range(rows))
        with CaptureQueriesContext(connection) as captured:
            response = upload(ann, numbering, text)
        assert len(read_rows(response)) == min(rows, 100)
        return len(captured)

    ask(1)
    assert ask(1) == ask(1000)


def test_the_workflow_page_leads_there(ann: Client, numbering: Workflow) -> None:
    page = read_page(ann.get(reverse("admin:django_wfe_workflow_change", args=[numbering.pk])))
    assert page.find_link("Start many") == build(numbering)
