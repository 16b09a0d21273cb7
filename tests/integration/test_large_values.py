"""Inputs, answers and results that are too large for a row are in files; steps and programs see no difference."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.db import connection, transaction

from django_wfe import lifecycle, order_workflow_execution, provide_external_input
from django_wfe.definition.graph import START
from django_wfe.engine.large_values import keeping
from django_wfe.engine.large_values.keeping import hold_values, keep_value, refers_to_file
from django_wfe.engine.large_values.sweeping import sweep_large_values
from django_wfe.engine.operations.rotating_secrets import rotate_secrets
from django_wfe.exceptions import LargeValueUnavailable, NotEncodable
from django_wfe.management import health
from django_wfe.models import Job, JobState, LargeValue, LargeValueUse, StepRun, StepRunState
from django_wfe.testing import assert_survives_crashes
from django_wfe.values.large_values import MARK, read_reference
from tests.declared.large_workflows import (
    SEEN,
    Enrich,
    Importing,
    Marking,
    MarkingUnderValue,
    Noting,
    Producing,
    Storing,
    write_lines,
)
from tests.support.running.engine_helpers import get_last_event, get_last_run, run, run_now, run_ready
from tests.support.running.large_values import INLINE, find_trouble, list_files, list_references, storage
from tests.workflows import Linear

__all__ = ["storage"]

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

GIVEN, ANSWER = write_lines(300), write_lines(100, "more")


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


def start(**options: Any) -> int:
    return order_workflow_execution(Importing, input={"lines": GIVEN}, **options)


def start_and_answer() -> Job:
    job_id = start()
    assert run_ready(job_id).state == JobState.INPUT_REQUIRED
    provide_external_input(job_id, {"lines": ANSWER})
    return run_ready(job_id)


def age() -> None:
    LargeValue.objects.update(touched_at="2020-01-01T00:00:00Z")


@pytest.mark.usefixtures("storage")
def test_steps_get_what_was_given_and_the_rows_stay_small() -> None:
    job = start_and_answer()
    assert (job.state, get_last_run(job.pk).result) == (JobState.FINISHED, 400)
    first = {"lines": GIVEN, "read": 300}
    assert [
        ({"lines": GIVEN}, None, GIVEN),
        (first, {"lines": ANSWER}, GIVEN),
        ({"lines": [*GIVEN, *ANSWER], "small": False}, None, None),
    ] == SEEN
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(length(result::text)), max(length(external_data::text)) FROM django_wfe_steprun")
        assert max(cursor.fetchone()) < INLINE
    assert len(list_references()) == 4
    assert job.storage == {
        "data": [
            {"step": START, "result": {"lines": GIVEN}},
            {"step": "tests.declared.large_workflows.Import", "result": first},
            {
                "step": "tests.declared.large_workflows.Enrich",
                "result": {"lines": [*GIVEN, *ANSWER], "small": False},
                "external_data": {"lines": ANSWER},
            },
            {"step": "tests.declared.large_workflows.Report", "result": 400},
        ]
    }


def test_the_attributes_of_a_row_read_its_files_when_they_are_asked_for(storage: Path) -> None:
    job = start_and_answer()
    runs = list(StepRun.objects.filter(job=job).order_by("number"))
    assert [run.result for run in runs][:2] == [{"lines": GIVEN}, {"lines": GIVEN, "read": 300}]
    assert runs[2].external_data == {"lines": ANSWER}
    runs[0].save()
    assert read_reference(StepRun.objects.values_list("result", flat=True).get(pk=runs[0].pk)) is not None
    for file in storage.rglob("*.json"):
        file.unlink()
    assert list(StepRun.objects.filter(job=job).order_by("number"))[3].result == 400  # and the others are not read
    with pytest.raises(LargeValueUnavailable, match=r"is not in the storage “django_wfe”\. Restore it"):
        _ = runs[1].result


def test_what_fits_stays_in_the_row_and_without_a_storage_all_does(storage: Path, settings: Any) -> None:
    order_workflow_execution(Importing, input={"lines": ["short"]})
    assert list_files(storage) == set()
    del settings.WFE_INLINE_BYTES
    settings.WFE_STORAGE = ""
    start()
    assert list_files(storage) == set()
    settings.WFE_MAX_RESULT_BYTES = 2_000
    with pytest.raises(NotEncodable, match="WFE_MAX_RESULT_BYTES is 2,000"):
        start()


@pytest.mark.usefixtures("storage")
def test_large_values_have_a_limit_of_their_own(settings: Any) -> None:
    settings.WFE_MAX_RESULT_BYTES = 2_000
    start()
    settings.WFE_MAX_LARGE_BYTES = 4_000
    with pytest.raises(NotEncodable, match="WFE_MAX_LARGE_BYTES is 4,000"):
        start()
    assert Job.objects.count() == 1


def test_the_limit_counts_bytes_not_characters(storage: Path) -> None:
    text = "€" * (INLINE // 3 - 1)
    assert keep_value(json.dumps(text, ensure_ascii=False)) == f'"{text}"'
    assert refers_to_file(keep_value(json.dumps(f"{text}€", ensure_ascii=False)))
    assert len(list_files(storage)) == 1


def test_equal_values_share_a_file_and_jobs_keep_it_alive(storage: Path) -> None:
    jobs = [Job.objects.get(pk=start()) for _ in range(3)]
    assert len(list_files(storage)) == 1
    assert LargeValueUse.objects.count() == 3
    age()
    assert sweep_large_values() == 0
    for job in jobs[:2]:
        job.delete()
    assert sweep_large_values() == 0
    jobs[2].delete()
    age()
    assert sweep_large_values() == 1
    assert (list_files(storage), LargeValue.objects.count(), LargeValueUse.objects.count()) == (set(), 0, 0)


def test_a_start_that_is_rolled_back_leaves_a_file_for_the_sweep(storage: Path) -> None:
    with transaction.atomic():
        start()
        start(key="again")  # the same value a second time in one transaction: it must not wait for itself
        transaction.set_rollback(True)
    assert Job.objects.count() == 0
    assert len(list_files(storage)) == 1
    assert sweep_large_values() == 0, "it may still be about to be used"
    age()
    assert sweep_large_values() == 1
    assert list_files(storage) == set()


def test_the_sweep_leaves_what_an_open_transaction_has_taken(storage: Path) -> None:
    with transaction.atomic():
        start()
        age_elsewhere()
        swept: list[int] = []
        thread = threading.Thread(target=lambda: swept.append(sweep_in_thread()))
        thread.start()
        thread.join(20)
        assert swept == [0]
    assert find_trouble(storage) == []


def age_elsewhere() -> None:
    def work() -> None:
        age()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)


def sweep_in_thread() -> int:
    try:
        return sweep_large_values()
    finally:
        connection.close()


def test_what_was_swept_before_its_row_was_written_starts_nothing(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a process that stood still for an hour between the file and the row."""

    def keep_too_long(encoded: str) -> str:
        kept = keep_value(encoded)
        sweep_large_values(grace_seconds=-1)
        return kept

    monkeypatch.setattr("django_wfe.engine.operations.starting.keep_value", keep_too_long)
    with pytest.raises(LargeValueUnavailable, match="more than an hour"):
        start()
    assert Job.objects.count() == 0
    assert list_files(storage) == set()


def test_a_file_whose_row_was_swept_while_it_was_written_is_deleted(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file = keeping._write_file

    def write_too_long(*arguments: Any) -> None:
        sweep_large_values(grace_seconds=-1)
        write_file(*arguments)

    monkeypatch.setattr(keeping, "_write_file", write_too_long)
    with pytest.raises(LargeValueUnavailable, match="more than an hour"):
        start()
    assert list_files(storage) == set()


@pytest.mark.usefixtures("storage")
def test_a_value_is_held_only_as_long_as_its_file_is_stored() -> None:
    kept = keep_value(json.dumps(GIVEN))
    job = run(Linear)
    sweep_large_values(grace_seconds=-1)
    with pytest.raises(LargeValueUnavailable, match="Try again"), transaction.atomic():
        hold_values(job.pk, kept)


@pytest.mark.parametrize("workflow", [Marking, MarkingUnderValue])
@pytest.mark.usefixtures("storage")
def test_nobody_can_type_a_reference(workflow: Any) -> None:
    job = run(workflow)
    if workflow is Marking:
        assert job.state == JobState.FAILED
        assert f"holds the name “{MARK}”, which is kept for large values" in job.error
    else:  # it is a value like others: only a column of edited inputs has references under a name
        result = get_last_run(job.pk).result
        assert list(result["value"]) == [MARK]
        assert job.storage["data"][1]["result"] == result


def test_a_step_waits_while_the_storage_is_away_and_fails_if_the_file_is_lost(storage: Path, settings: Any) -> None:
    job_id = start()
    settings.WFE_STORAGE = ""
    job = run_ready(job_id)
    assert (job.state, get_last_event(job_id).kind) == (JobState.WAITING, "parked")
    assert "add the one that WFE_STORAGE names to STORAGES" in job.error
    settings.WFE_STORAGE = "django_wfe"
    moved = {file: file.read_bytes() for file in storage.rglob("*.json")}
    for file in moved:
        file.unlink()
    job = run_now(job_id)
    assert job.state == JobState.FAILED
    assert "Restore it from a backup" in job.error
    for file, content in moved.items():
        file.write_bytes(b"x" + content)
    lifecycle.retry_job(job_id)
    job = run_ready(job_id)
    assert "is not what was written" in job.error
    for file, content in moved.items():
        file.write_bytes(content)
    lifecycle.retry_job(job_id)
    assert run_ready(job_id).state == JobState.INPUT_REQUIRED


class Broken:
    """A storage that is full, or away."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def save(self, name: str, content: Any) -> str:
        raise self.error

    open = delete = save


@pytest.mark.usefixtures("storage")
def test_what_the_storage_does_not_take_starts_nothing_and_fails_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = start()
    producing = order_workflow_execution(Producing)
    monkeypatch.setitem(storages._storages, "django_wfe", Broken(OSError("disk full")))
    with pytest.raises(LargeValueUnavailable, match="OSError: disk full"):
        order_workflow_execution(Importing, input={"lines": ANSWER})
    assert Job.objects.count() == 2
    job = run_ready(producing)
    assert job.state == JobState.FAILED
    assert "OSError: disk full" in job.error
    assert run_ready(job_id).state == JobState.WAITING


def test_an_operator_repairs_with_large_values(storage: Path) -> None:
    job_id = start()
    run_ready(job_id)
    lifecycle.skip_step(job_id, result={"lines": ANSWER})
    job = run_ready(job_id)
    assert (job.state, get_last_run(job_id).result) == (JobState.FINISHED, 100)
    lifecycle.rerun_job(job_id, number=3)
    assert get_last_run(run_ready(job_id).pk).result == 100
    assert find_trouble(storage) == []


def test_a_retry_keeps_the_large_input_or_takes_another(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = start()
    run_ready(job_id)
    with monkeypatch.context() as patched:
        patched.setattr(Enrich, "execute", lambda self, _input, external_input: 1 / 0)
        provide_external_input(job_id, {"lines": ANSWER})
        assert run_ready(job_id).state == JobState.FAILED
        lifecycle.retry_job(job_id)
        assert run_ready(job_id).state == JobState.FAILED
        assert get_last_run(job_id).external_data == {"lines": ANSWER}
        lifecycle.retry_job(job_id, value={"lines": ANSWER}, external_data={"lines": GIVEN})
        assert run_ready(job_id).state == JobState.FAILED
    failed = get_last_run(job_id)
    assert (failed.edited_input, failed.external_data) == ({"value": {"lines": ANSWER}}, {"lines": GIVEN})
    lifecycle.retry_job(job_id)
    assert run_ready(job_id).state == JobState.FINISHED
    assert SEEN[-2] == ({"lines": ANSWER}, {"lines": GIVEN}, GIVEN)
    assert find_trouble(storage) == []


def test_secrets_in_files_are_sealed_masked_and_renewed(storage: Path, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = []
    job_id = order_workflow_execution(
        Storing, input={"token": "canary-1", "lines": GIVEN}, first_input={"key": "canary-2", "lines": ANSWER}
    )
    contents = [file.read_text() for file in storage.rglob("*.json")]
    assert len(contents) == 2
    assert not any("canary" in content for content in contents)
    before = list_files(storage)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    rotation = rotate_secrets()
    assert (rotation.found, rotation.changed, rotation.unreadable) == (2, 2, 0)
    age()
    assert sweep_large_values() == 2, "no file keeps what the old key encrypts"
    assert list_files(storage).isdisjoint(before)
    settings.SECRET_KEY_FALLBACKS = []
    job = run_ready(job_id)
    assert (job.state, get_last_run(job_id).result) == (JobState.FINISHED, "can")
    assert "canary" not in json.dumps(job.storage)
    assert rotate_secrets().changed == 0


def test_input_that_no_longer_fits_is_asked_for_again_and_its_file_stays(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = start()
    run_ready(job_id)
    provide_external_input(job_id, {"lines": ANSWER})
    with monkeypatch.context() as patched:
        patched.setattr(Enrich, "UserInputSchema", Importing.InputSchema.__class__("Other", (Storing.InputSchema,), {}))
        job = run_ready(job_id)
    assert job.state == JobState.INPUT_REQUIRED
    assert read_reference(get_last_event(job_id).data["external_data"]) is not None
    age()
    assert sweep_large_values() == 0


@pytest.mark.usefixtures("storage")
def test_the_sweep_goes_on_once_the_storage_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    Job.objects.get(pk=start()).delete()
    age()
    with monkeypatch.context() as patched:
        patched.setitem(storages._storages, "django_wfe", Broken(OSError("away")))
        assert sweep_large_values() == 0
    assert LargeValue.objects.get().swept_at is not None
    start()  # takes no file that is about to go
    assert LargeValue.objects.count() == 2
    age()
    assert sweep_large_values() == 1


def test_a_start_with_large_input_and_attributes_is_all_or_nothing_wherever_it_is_killed(storage: Path) -> None:
    """And what a killed process has left in the storage goes with the sweep."""
    job_input = {"lines": write_lines(60)}

    def check(job: Job) -> None:
        assert job.attributes == {"first": job_input["lines"][0], "count": "60"}

    assert_survives_crashes(Producing, job_input=job_input, check=check)
    sweep_large_values(grace_seconds=-1)
    assert find_trouble(storage) == []
    assert not StepRun.objects.filter(state=StepRunState.RUNNING).exists()
    assert not User.objects.exists()


@pytest.mark.chaos
def test_what_recovers_may_be_killed_too(storage: Path) -> None:
    assert_survives_crashes(Noting, job_input={"lines": write_lines(60)}, crashes=2)
    sweep_large_values(grace_seconds=-1)
    assert find_trouble(storage) == []


def test_a_file_is_on_the_disk_before_its_row_refers_to_it(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        assert Job.objects.count() == 0
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    start()
    [file] = [str(storage / name) for name in list_files(storage)]
    assert synced == [file, str(Path(file).parent), str(storage)]


@pytest.mark.usefixtures("storage")
def test_in_a_transaction_the_row_of_a_file_is_committed_by_a_session_that_is_in_no_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "pool", False)
    with transaction.atomic(), keeping._open_own_session() as session:
        assert session is not connection
        assert "pool" not in session.settings_dict["OPTIONS"]
        assert "pool" in connection.settings_dict["OPTIONS"]
    with keeping._open_own_session() as session:
        assert session.settings_dict is connection.settings_dict


@pytest.mark.usefixtures("storage")
def test_the_doctor_says_whether_the_storage_works(monkeypatch: pytest.MonkeyPatch) -> None:
    start()
    found = health.examine_storage()
    assert (found.ok, found.text.replace("\xa0", " ")) == (True, "“django_wfe”, 1 file, 7.0 KB")
    monkeypatch.setitem(storages._storages, "django_wfe", Broken(OSError("disk full")))
    found = health.examine_storage()
    assert (found.ok, found.text) == (False, "OSError: disk full")
    assert "“django_wfe” of STORAGES" in found.cure


def test_many_at_once_with_the_same_value_and_a_sweep_beside_them(storage: Path) -> None:
    """Jobs are started and deleted in threads while the sweep takes what no job uses at this instant."""
    ends: list[Any] = []
    stop = threading.Event()

    def play(number: int) -> None:
        try:
            for turn in range(12):
                try:
                    job_id = start()
                except LargeValueUnavailable:
                    continue  # swept between its file and its row: with a grace of nothing that may be
                assert len(Job.objects.get(pk=job_id).storage["data"][0]["result"]["lines"]) == 300
                if (turn + number) % 2:
                    Job.objects.get(pk=job_id).delete()
        except Exception as error:
            ends.append(error)
        finally:
            connection.close()

    def sweep() -> None:
        try:
            while not stop.is_set():
                sweep_large_values(grace_seconds=0)
        except Exception as error:
            ends.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=play, args=[number]) for number in range(4)]
    sweeper = threading.Thread(target=sweep)
    for thread in (*threads, sweeper):
        thread.start()
    for thread in threads:
        thread.join(60)
    stop.set()
    sweeper.join(20)
    assert ends == []
    sweep_large_values(grace_seconds=-1)
    assert find_trouble(storage) == []
    assert Job.objects.exists()
