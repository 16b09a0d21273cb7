"""``manage.py wfe_job``: every operator's verb from the shell."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_wfe import run_workflow
from django_wfe.engine.bulk.runs import start_bulk, work_on_bulk
from django_wfe.engine.delivery.dispatcher import Dispatcher, Message, NullDispatcher, install_dispatcher
from django_wfe.engine.lifecycle import VERBS, order_workflow_execution, pause_job
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent, JobState, StepRun, StepRunState, Worker, Workflow
from tests import workflows
from tests.declared.first_input_workflows import Ordered
from tests.support.running.engine_helpers import create_user, get_last_event, get_last_run, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ROOT = Path(__file__).parents[2]
EACH_VERB = pytest.mark.parametrize("verb", list(VERBS))
OPTIONS = {"skip": ["--result", '"by hand"'], "rerun": ["--number", "1"]}


class BulkHere(Dispatcher):
    """Works on a bulk run as soon as its message is sent, as a worker elsewhere would."""

    def send(self, message: Message) -> bool:
        if message.kind == "bulk":
            work_on_bulk(message.number)
        return True


@pytest.fixture(autouse=True)
def bulk_here() -> Iterator[None]:
    before = install_dispatcher(BulkHere())
    yield
    install_dispatcher(before)


def run(*arguments: Any, stdin: str = "") -> tuple[str, int, str]:
    """Run the command; give what it prints, its exit code, and the error that it ends with."""
    output, errors = io.StringIO(), io.StringIO()
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        call_command("wfe_job", *map(str, arguments), stdout=output, stderr=errors, no_color=True)
    except CommandError as error:
        # As Django's own parser raises it here: its command line ends with 2.
        code = 2 if str(error).startswith("Error: ") else error.returncode
        return output.getvalue(), code, f"{errors.getvalue()}{error}"
    finally:
        sys.stdin = before
    return output.getvalue(), 0, errors.getvalue()


def read(*arguments: Any) -> Any:
    return json.loads(run(*arguments, "--json")[0])


def fail() -> int:
    return run_workflow(workflows.Failing)


def start_for(verb: str) -> int:
    """Start a job that the verb can be used on."""
    if verb == "resume":
        job_id = run_workflow(workflows.Asking)
        pause_job(job_id)
        return job_id
    return run_workflow(workflows.Asking) if verb == "pause" else fail()


@EACH_VERB
def test_each_verb_is_done_with_its_reason_and_the_command_as_source(verb: str) -> None:
    job_id = start_for(verb)
    output, code, error = run(verb, job_id, *OPTIONS.get(verb, []), "--reason", "the bank is back")
    assert code == 0, error
    job = Job.objects.get(pk=job_id)
    assert output == f"Job {job_id}: done, it is {job.state} now.\n"
    event = JobEvent.objects.filter(job=job, source="command").latest("id")
    assert event.data["reason"] == "the bank is back"
    assert (event.actor, event.actor_name) == (None, "")


@EACH_VERB
def test_a_dry_run_says_what_would_happen_and_changes_nothing(verb: str) -> None:
    job_id = start_for(verb)
    before = Job.objects.values().get(pk=job_id), JobEvent.objects.count(), StepRun.objects.count()
    output, code, _ = run(verb, job_id, *OPTIONS.get(verb, []), "--dry-run")
    assert code == 0
    assert output.startswith(f"Job {job_id}: ")
    assert (Job.objects.values().get(pk=job_id), JobEvent.objects.count(), StepRun.objects.count()) == before


@EACH_VERB
def test_with_a_user_the_permission_is_asked_and_the_event_names_the_user(verb: str) -> None:
    job_id = start_for(verb)
    create_user("stranger", "view_job")
    output, code, error = run(verb, job_id, *OPTIONS.get(verb, []), "--user", "stranger")
    assert code == 1
    assert VERBS[verb].permission in output
    assert "1 job is left alone" in error
    permission = VERBS[verb].permission.partition(".")[2]
    operator = create_user("operator", permission)
    assert run(verb, job_id, *OPTIONS.get(verb, []), "--user", "operator")[1] == 0
    assert JobEvent.objects.filter(source="command").latest("id").actor == operator


def test_a_refusal_ends_with_one_and_says_why() -> None:
    job_id = run_workflow(workflows.Linear)
    output, code, error = run("retry", job_id)
    assert (code, error) == (1, "1 job is left alone.")
    assert "Only a failed job can be tried again." in output
    assert run("retry", job_id, "--dry-run")[1] == 1


def test_of_many_jobs_each_has_its_own_result() -> None:
    failed, finished = fail(), run_workflow(workflows.Linear)
    output, code, error = run("retry", failed, finished, failed, 987654, 2**70, "--json")
    results = {result["job"]: result for result in json.loads(output)}
    assert code == 1
    assert "3 jobs are left alone" in error
    assert (results[failed]["done"], results[failed]["state"]) == (True, "ONGOING")
    assert [results[job]["done"] for job in (finished, 987654, 2**70)] == [False] * 3
    assert "no job 987654" in results[987654]["refused"]
    assert StepRun.objects.filter(job=failed, state=StepRunState.READY).count() == 1


def test_a_job_that_is_no_longer_in_the_expected_state_is_left_alone() -> None:
    job_id = fail()
    assert run("cancel", job_id, "--expected-state", "ONGOING", "--dry-run")[1] == 1
    output, code, _ = run("cancel", job_id, "--expected-state", "ONGOING")
    assert code == 1
    assert "was “ongoing” and is “failed” now" in output
    assert run("cancel", job_id, "--expected-state", "FAILED")[1] == 0


def test_a_retry_takes_another_value_and_other_external_data(tmp_path: Path) -> None:
    job_id = fail()
    file = tmp_path / "value.json"
    file.write_text('{"mended": "ja, schön"}', encoding="utf-8")
    assert run("retry", job_id, "--value", f"@{file}")[1] == 0
    assert get_last_run(job_id).edited_input == {"value": {"mended": "ja, schön"}}
    output, code, _ = run("retry", fail(), "--external-data", "{}")
    assert code == 1
    assert "takes no external input" in output


def test_null_is_a_value_like_others() -> None:
    job_id = fail()
    assert run("skip", job_id, "--result", "null")[1] == 0
    assert StepRun.objects.get(job=job_id, state="SKIPPED").result is None


def test_a_skip_takes_the_edge_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = run_workflow(workflows.Asking)
    monkeypatch.setattr(workflows.Route, "transition", None)
    assert run("input", job_id, "--data", '{"some_data": 1}')[1] == 0
    assert run_ready(job_id).state == JobState.FAILED
    assert run("skip", job_id, "--result", "1", "--transition", "7")[1] == 1
    assert run("skip", job_id, "--result", "1", "--transition", "1")[1] == 0
    assert Job.objects.get(pk=job_id).current_step == "tests.workflows.Right"


def test_input_is_read_from_the_option_a_file_or_the_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text('{"some_data": 2}')
    for data, stdin in (('{"some_data": 1}', ""), (f"@{file}", ""), ("-", '{"some_data": 3}')):
        job_id = run_workflow(workflows.Asking)
        output, code, error = run("input", job_id, "--data", data, stdin=stdin)
        assert (output, code) == (f"Job {job_id} is INPUT_RECEIVED now.\n", 0), error
        assert get_last_event(job_id).source == "command"
    given = StepRun.objects.filter(step="tests.workflows.Ask").order_by("id").values_list("external_data", flat=True)
    assert [data["some_data"] for data in given] == [1, 2, 3]


def test_input_that_is_not_valid_is_refused_by_field_and_the_job_goes_on_waiting() -> None:
    job_id = run_workflow(workflows.Asking)
    _, code, error = run("input", job_id, "--data", '{"some_data": "secret-4711"}')
    assert code == 1
    assert "some_data: Input should be a valid integer" in error
    assert "secret-4711" not in error
    assert Job.objects.get(pk=job_id).state == JobState.INPUT_REQUIRED
    assert run("input", run_workflow(workflows.Linear), "--data", "{}")[1] == 1
    assert run("input", 2**70, "--data", "{}")[1] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["retry"],
        ["retry", "1", "--filter-state", "FAILED"],
        ["retry", "1", "--wait"],
        ["retry", "--limit", "3"],
        ["retry", "1", "--value", "{"],
        ["retry", "1", "--value", "@/nowhere/at/all"],
        ["retry", "x"],
        ["retry", "1", "--expected-state", "BROKEN"],
        ["retry", "--filter-state", "BROKEN"],
        ["retry", "1", "--result", "1"],
        ["skip", "1"],
        ["rerun", "1"],
        ["rerun", "1", "--number", "first"],
        ["list", "--limit", "0"],
        ["input", "1"],
        ["show"],
        ["show", "1", "--user", "nobody"],
        ["dance", "1"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two_and_does_nothing(arguments: list[str]) -> None:
    job_id = fail()
    output, code, error = run(*arguments)
    assert code == 2, error
    assert error
    assert output == ""
    assert Job.objects.get(pk=job_id).state == JobState.FAILED
    assert not BulkRun.objects.exists()


def test_a_job_is_started_by_path_id_name_or_label_and_once_by_its_key() -> None:
    workflow = Workflow.objects.get(jobs=run_workflow(workflows.Linear))
    for name in (workflow.path, workflow.pk, "Linear"):
        output, code, error = run("start", name)
        assert code == 0, error
        assert "was started; it is PENDING" in output
    first = read("start", "Linear", "--key", "order-1")
    again = read("start", "Linear", "--key", "order-1")
    assert (first["created"], again["created"], again["id"]) == (True, False, first["id"])
    assert JobEvent.objects.get(job=first["id"], kind="started").source == "command"


def test_a_job_can_be_run_here_to_its_end() -> None:
    run_workflow(workflows.Linear)
    started = read("start", "Linear", "--here")
    assert started["state"] == "FINISHED"


def test_a_workflow_that_there_is_not_or_that_two_have_the_name_of_is_not_guessed() -> None:
    workflow = Workflow.objects.get(jobs=run_workflow(workflows.Linear))
    _, code, error = run("start", "shop.Nothing")
    assert code == 1
    assert workflow.path in error
    Workflow.objects.create(path="another.Linear", name="Linear")
    _, code, error = run("start", "Linear")
    assert code == 2
    assert "another.Linear" in error
    assert run("start", str(2**70))[1] == 1


def test_a_start_brings_the_first_input_along_once_for_its_key() -> None:
    record_workflow(describe_workflow(Ordered))
    started = read("start", "Ordered", "--key", "order-1", "--first-input", '{"some_data": 4}')
    again = read("start", "Ordered", "--key", "order-1", "--first-input", '{"some_data": 5}')
    assert (started["state"], started["created"], again["created"]) == ("INPUT_RECEIVED", True, False)
    assert started["id"] == again["id"]
    assert StepRun.objects.get(job=started["id"], number=1).external_data["some_data"] == 4
    sources = JobEvent.objects.filter(job=started["id"]).values_list("source", flat=True)
    assert list(sources) == ["command", "command"]
    assert read("start", "Ordered", "--here", "--first-input", '{"some_data": 4}')["state"] == "INPUT_REQUIRED"


def test_a_first_input_that_does_not_fit_starts_nothing_and_its_values_are_not_printed() -> None:
    record_workflow(describe_workflow(Ordered))
    output, code, error = run("start", "Ordered", "--first-input", '{"some_data": "secret word"}')
    assert (output, code) == ("", 1)
    assert "some_data: Input should be a valid integer" in error
    assert "secret word" not in error
    _, code, error = run("start", "Ordered", "--first-input", "{")
    assert code == 2
    assert "--first-input is not valid JSON" in error
    record_workflow(describe_workflow(workflows.Linear))
    _, code, error = run("start", "Linear", "--first-input", "{}")
    assert code == 1
    assert "its first step, tests.workflows.Fetch, asks for no input" in error
    assert not Job.objects.exists()


def test_a_start_asks_for_the_users_permission_and_a_wrong_key_is_wrong_usage() -> None:
    run_workflow(workflows.Linear)
    create_user("stranger")
    assert run("start", "Linear", "--user", "stranger")[1] == 1
    assert run("start", "Linear", "--key", "x" * 300)[1] == 2


def test_a_job_is_shown_with_why_it_is_there_and_what_can_be_done() -> None:
    job_id = fail()
    output, code, _ = run("show", job_id)
    assert code == 0
    assert output.startswith(f"Failing:{job_id} FAILED tests.workflows.Fail\n")
    assert "Way out: Fix the cause" in output
    assert "Possible: retry, skip, rerun, cancel" in output
    assert "2.1  FAILED" in output
    data = read("show", job_id)
    assert (data["state"], data["why"]["code"]) == ("FAILED", "failed")
    assert [run["state"] for run in data["step_runs"]] == ["FINISHED", "FINISHED", "FAILED"]
    assert data["step_runs"][-1]["error"] == "attempt 1 fails"


def test_without_the_permission_no_data_is_shown_and_without_view_no_job() -> None:
    job_id = fail()
    create_user("viewer", "view_job")
    create_user("stranger")
    output, code, _ = run("show", job_id, "--user", "viewer", "--json")
    assert code == 0
    assert "attempt 1 fails" not in output
    assert run("show", job_id, "--user", "stranger")[1] == 1
    assert run("list", "--user", "stranger")[0] == "No jobs.\n"


def test_jobs_are_listed_newest_first_by_state_workflow_and_incident() -> None:
    failed = [fail(), fail()]
    finished = run_workflow(workflows.Linear)
    output, _, _ = run("list")
    assert [int(line.split()[0]) for line in output.splitlines()] == [finished, *failed[::-1]]
    assert [job["id"] for job in read("list", "--state", "FAILED")] == failed[::-1]
    assert [job["id"] for job in read("list", "--workflow", "Linear")] == [finished]
    assert [job["id"] for job in read("list", "--limit", "1")] == [finished]
    fingerprint = get_last_run(failed[0]).fingerprint
    assert [job["id"] for job in read("list", "--incident", fingerprint)] == failed[::-1]


@pytest.mark.django_db(transaction=True)
def test_a_filter_starts_a_tracked_bulk_run_that_can_be_waited_for() -> None:
    failed = [fail(), fail()]
    run_workflow(workflows.Linear)
    output, code, error = run(
        "retry", "--filter-state", "FAILED", "--filter-workflow", "Failing", "--reason", "up again", "--wait"
    )
    assert code == 0, error
    assert "2/2" in output
    assert "2 done, 0 left alone, 0 to go" in output
    bulk = BulkRun.objects.get()
    assert (bulk.verb, bulk.source, bulk.reason, bulk.total) == ("retry", "command", "up again", 2)
    assert set(Job.objects.filter(pk__in=failed).values_list("state", flat=True)) == {JobState.ONGOING}
    shown = read("bulk", bulk.pk)
    assert [(row["job"], row["state"]) for row in shown["results"]] == [(job, "DONE") for job in failed]
    assert (shown["done"], shown["pending"], shown["state"]) == (2, 0, "FINISHED")


def test_a_preview_of_a_filter_counts_and_starts_nothing() -> None:
    fail()
    fail()
    run_workflow(workflows.Linear)
    preview = read("retry", "--filter-workflow", "Failing", "--filter-workflow", "Linear", "--preview")
    assert preview == {"total": 3, "allowed": 2, "left_alone": {"Only a failed job can be tried again.": 1}}
    output, code, _ = run("cancel", "--filter-state", "FAILED", "--expected-state", "ONGOING", "--dry-run")
    assert code == 0
    assert "0 jobs would be changed" in output
    assert "2 would be left alone: It is not “ongoing”." in output
    assert not BulkRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_incident_is_repaired_first_in_one_job_and_then_in_all() -> None:
    failed = [fail(), fail(), fail()]
    fingerprint = get_last_run(failed[0]).fingerprint
    assert run("retry", "--incident", fingerprint, "--limit", "1", "--stop-on", fingerprint)[1] == 0
    bulk = BulkRun.objects.get()
    assert (bulk.total, bulk.stop_on_fingerprint) == (1, fingerprint)
    assert bulk.items.get().job_id == failed[0], "the oldest"
    assert run("retry", "--filter-state", "FAILED", "--limit", "1", "--stop-on-failure")[1] == 0
    assert BulkRun.objects.latest("id").stop_on_fingerprint == BulkRun.ANY_FAILURE
    assert run("retry", "--incident", fingerprint)[1] == 0
    assert (BulkRun.objects.latest("id").total, BulkRun.objects.latest("id").state) == (1, "FINISHED")


@pytest.mark.django_db(transaction=True)
def test_a_bulk_run_that_leaves_jobs_alone_or_is_stopped_ends_with_one() -> None:
    fail()
    run_workflow(workflows.Linear)
    Worker.objects.all().delete()  # this process may have entered itself
    output, code, error = run("retry", "--filter-workflow", "Failing", "--filter-workflow", "Linear", "--wait")
    assert code == 1
    assert "1 of 2 jobs done" in error
    assert "Only a failed job can be tried again." in output
    assert "No worker is alive" in error
    install_dispatcher(NullDispatcher())
    bulk = start_bulk("cancel", Job.objects.all())
    output, code, error = run("bulk", bulk.pk, "--stop", "--reason", "the wrong filter", "--wait")
    assert code == 1
    assert "the wrong filter" in output
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 2
    assert run("bulk", bulk.pk, "--stop")[1] == 1


def test_a_bulk_run_is_shown_to_who_started_it_and_to_those_with_the_permission() -> None:
    fail()
    install_dispatcher(NullDispatcher())
    operator = create_user("operator", "cancel_job")
    create_user("other", "view_job", "cancel_job")
    create_user("viewer", "view_job", "view_bulkrun")
    bulk = start_bulk("cancel", Job.objects.all(), actor=operator)
    assert run("bulk", bulk.pk, "--user", "operator")[1] == 0
    assert run("bulk", bulk.pk, "--user", "viewer")[1] == 0
    assert run("bulk", bulk.pk, "--user", "other")[1] == 1
    assert run("bulk", bulk.pk, "--stop", "--user", "viewer")[1] == 1
    assert run("bulk", 987654)[1] == 1
    assert run("bulk", 2**70)[1] == 1


@pytest.mark.django_db(transaction=True)
def test_a_user_without_the_permission_starts_no_bulk_run_and_one_who_sees_no_job_changes_none() -> None:
    fail()
    create_user("viewer", "view_job")
    create_user("blind", "cancel_job")
    assert run("cancel", "--filter-state", "FAILED", "--user", "viewer")[1] == 1
    assert run("cancel", "--filter-state", "FAILED", "--user", "viewer", "--dry-run")[1] == 1
    assert not BulkRun.objects.exists()
    assert run("cancel", "--filter-state", "FAILED", "--user", "blind", "--wait")[1] == 0
    assert BulkRun.objects.get().total == 0


def test_a_workflow_is_paused_and_resumed() -> None:
    workflow = Workflow.objects.get(jobs=run_workflow(workflows.Linear))
    create_user("stranger")
    assert run("pause-workflow", "Linear", "--user", "stranger")[1] == 1
    output, code, _ = run("pause-workflow", "Linear", "--reason", "the bank is down")
    workflow.refresh_from_db()
    assert (code, workflow.paused, workflow.pause_reason) == (0, True, "the bank is down")
    assert output == "tests.workflows.Linear is paused.\n"
    job_id = order_workflow_execution(workflow)
    Worker.objects.create(hostname="barn", pid=1)
    assert read("show", job_id)["why"]["code"] == "workflow_paused"
    assert run("pause-workflow", workflow.pk)[1] == 1
    assert run("resume-workflow", workflow.path)[1] == 0
    assert run("resume-workflow", workflow.path)[1] == 1
    assert list(workflow.events.values_list("kind", "source")) == [("paused", "command"), ("resumed", "command")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("arguments", "code"), [(["list"], 0), (["retry", "1"], 1), (["retry"], 2), (["dance"], 2)])
def test_the_exit_code_reaches_the_shell(arguments: list[str], code: int, child_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", "wfe_job", *arguments],
        cwd=ROOT,
        env={**os.environ, **child_environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
