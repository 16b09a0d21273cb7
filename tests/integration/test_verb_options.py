"""Options of verbs: of each kind at each door, sealed where they are secrets, and an entry's own in a bulk run."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from pydantic import BaseModel, Field, SecretStr

from django_wfe.api.frame.errors import handle_exception
from django_wfe.api.shapes.verb_bodies import build_verb_body
from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.lifecycle import rotate_secrets, run_workflow, start_bulk
from django_wfe.exceptions import UnknownJob, VerbFailed
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent
from django_wfe.values.sealing import MARK
from django_wfe.verbs import Case, Entry, Verb, register, unregister
from tests.support.doors.console import list_messages, read_page, record, sign_in_superuser
from tests.workflows import Asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class NoteOptions(BaseModel):
    """What is noted."""

    text: str = Field(max_length=20)
    weight: int = Field(1, ge=0, le=9)
    urgent: bool = False
    tags: list[str] = []
    until: int | None = None
    pin: SecretStr | None = None


class Note(Verb):
    """Note something about a job."""

    name = "note"
    label = "Note"
    permission = "django_wfe.pause_job"
    Options = NoteOptions
    is_action = True

    def perform(self, case: Case, options: NoteOptions) -> Mapping[str, Any]:
        if options.text == "break":
            raise ZeroDivisionError("broken: canary")
        pin = options.pin.get_secret_value() if options.pin is not None else None
        return {**options.model_dump(exclude={"pin"}), "has_pin": pin == "canary"}


@pytest.fixture(autouse=True)
def note() -> Iterator[None]:
    register(Note)
    yield
    unregister("note")


@pytest.fixture
def jobs() -> list[int]:
    record(Asking)
    return [run_workflow(Asking) for _ in range(3)]


def read_note(job_id: int) -> Any:
    event = JobEvent.objects.get(job=job_id, kind="note")
    assert str(event.get_kind_display()) == "Note"
    return event.data


WHOLE = {"text": "look", "weight": 3, "urgent": True, "tags": ["a", "b"], "until": 7, "has_pin": False}


def test_the_shell_reads_each_kind(jobs: list[int]) -> None:
    arguments = ["--text", "look", "--weight", "3", "--urgent", "--tags", '["a", "b"]', "--until", "7"]
    call_command("wfe_job", "note", str(jobs[0]), *arguments)
    assert read_note(jobs[0]) == WHOLE


def test_a_body_of_rest_reads_each_kind(jobs: list[int]) -> None:
    body = build_verb_body(Note())(data={**WHOLE, "has_pin": 1})
    assert not body.is_valid()
    assert list(body.errors) == ["has_pin"]
    given = {name: value for name, value in WHOLE.items() if name != "has_pin"}
    body = build_verb_body(Note())(data=given)
    assert body.is_valid(), body.errors
    Note().apply(jobs[0], **body.validated_data)
    assert read_note(jobs[0]) == WHOLE
    for wrong in ({"weight": 10}, {"weight": "x"}, {"text": "t" * 21}, {"urgent": "perhaps"}):
        body = build_verb_body(Note())(data={**given, **wrong})
        assert not body.is_valid()
        assert list(body.errors) == list(wrong)


def test_the_form_of_the_page_reads_each_kind(jobs: list[int]) -> None:
    client = sign_in_superuser()
    url = reverse("admin:django_wfe_job_verb", args=[jobs[0], "note"])
    [form] = [form for form in read_page(client.get(url)).forms if form.identifier == "verb-form"]
    data = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    added = client.post(url, {**data, "options-text": "look", "options-_structure": "add:tags"})
    assert "options-tags-0" in added.content.decode()
    assert JobEvent.objects.filter(kind="note").count() == 0
    given = {"options-text": "look", "options-weight": "3", "options-until": "7", "options-pin": "canary"}
    client.post(url, {**data, **given})
    assert read_note(jobs[0]) == {**WHOLE, "urgent": False, "tags": [], "has_pin": True}


def test_entries_carry_options_of_their_own_beside_those_of_the_run(jobs: list[int]) -> None:
    entries = (Entry(job_id=job_id, options={"text": f"job {number}"}) for number, job_id in enumerate(jobs))
    bulk = start_bulk("note", entries=entries, options={"text": "all", "weight": 5}, reason="Counted.")
    assert (bulk.total, sum(bulk.shares.values())) == (3, 3)
    work_on_bulk(bulk.pk)
    for number, job_id in enumerate(jobs):
        data = read_note(job_id)
        assert (data["text"], data["weight"], data["reason"]) == (f"job {number}", 5, "Counted.")


def test_jobs_come_before_the_other_entries(jobs: list[int]) -> None:
    entries = [Entry(job_id=jobs[0], options={"text": "own"})]
    bulk = start_bulk("note", Job.objects.exclude(pk=jobs[0]), entries=entries, options={"text": "all"})
    assert list(bulk.items.order_by("id").values_list("job_id", flat=True)) == [*jobs[1:], jobs[0]]
    work_on_bulk(bulk.pk)
    assert [read_note(job_id)["text"] for job_id in jobs] == ["own", "all", "all"]


def test_a_verb_for_jobs_takes_no_entry_without_one(jobs: list[int]) -> None:
    with pytest.raises(ValueError, match="give each Entry a job_id"):
        start_bulk("note", entries=[Entry(key="nothing")], options={"text": "all"})
    assert BulkRun.objects.count() == 0


def test_an_entry_names_a_job_that_is_there(jobs: list[int]) -> None:
    with pytest.raises(UnknownJob, match="There is no job 987654"):
        start_bulk("note", entries=[Entry(job_id=jobs[0]), Entry(job_id=987654)], options={"text": "all"})
    assert BulkRun.objects.count() == 0


def test_a_secret_is_sealed_in_the_run_and_in_its_entries_and_sealed_anew_with_the_rest(jobs: list[int]) -> None:
    entries = [Entry(job_id=jobs[0], options={"pin": "canary"})]
    bulk = start_bulk("note", Job.objects.filter(pk=jobs[1]), entries=entries, options={"text": "t", "pin": "canary"})
    kept = json.dumps([bulk.options, *bulk.items.values_list("options", flat=True)])
    assert "canary" not in kept
    assert kept.count(MARK) == 2
    rotation = rotate_secrets()
    assert (rotation.found, rotation.unreadable) == (2, 0)
    work_on_bulk(bulk.pk)
    assert [read_note(job_id)["has_pin"] for job_id in jobs[:2]] == [True, True]


def test_a_verb_that_breaks_says_so_at_every_door_and_nothing_is_done(
    jobs: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    told = "The verb failed with ZeroDivisionError, and nothing was done. The log says where."
    client = sign_in_superuser()
    url = reverse("admin:django_wfe_job_verb", args=[jobs[0], "note"])
    page = read_page(client.post(url, {"expected_state": "INPUT_REQUIRED", "options-text": "break"}))
    assert told in page.text
    listed = {"jobs": ",".join(f"{job_id}:INPUT_REQUIRED" for job_id in jobs), "options-text": "break"}
    answer = client.post(reverse("admin:django_wfe_job_bulk", args=["note"]), listed, follow=True)
    assert list_messages(answer) == [f"Left alone: {Job.objects.get(pk=job_id).title}: {told}" for job_id in jobs]
    with pytest.raises(CommandError):
        call_command("wfe_job", "note", str(jobs[0]), "--text", "break")
    with pytest.raises(VerbFailed) as raised:
        Note().apply(jobs[0], text="break")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert handle_exception(raised.value, {}).status_code == 500
    assert "ZeroDivisionError: broken" in caplog.text
    assert JobEvent.objects.filter(kind="note").count() == 0


def test_a_verb_that_breaks_ends_with_its_entry_and_leaves_no_value_in_the_result(jobs: list[int]) -> None:
    entries = [Entry(job_id=job_id, options={"text": "break" if job_id == jobs[1] else "fine"}) for job_id in jobs]
    bulk = start_bulk("note", entries=entries)
    work_on_bulk(bulk.pk)
    bulk.refresh_from_db()
    assert bulk.state == BulkRun.State.FINISHED
    broken = bulk.items.get(state=BulkItem.State.REFUSED)
    assert (broken.job_id, broken.message) == (
        jobs[1],
        "The verb failed with ZeroDivisionError, and nothing was done. The log says where.",
    )
    assert JobEvent.objects.filter(kind="note").count() == 2
