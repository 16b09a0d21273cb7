"""``manage.py wfe_rotate_secrets``: every stored secret under the first key, those of before there were keys too."""

import io
import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_wfe import order_workflow_execution
from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import save_draft, start_job
from django_wfe.engine.operations import rotating_secrets
from django_wfe.engine.project_code.recording import describe_workflow
from django_wfe.exceptions import InvalidWorkflow
from django_wfe.models import Assignment, BulkRun, Definition, Job, JobEvent, JobState, StepRun
from django_wfe.values.sealing import MARK, unseal
from tests.declared import secret_workflows as declared
from tests.declared.input_workflows import Ordering
from tests.support.doors.console import record
from tests.support.running.engine_helpers import create_user, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine", "sent")]

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
INPUT = {"user": "ada", "password": "canary", "pin": 7351, "token": "canary", "login": {"user": "a", "password": "x"}}


@pytest.fixture(autouse=True)
def signing_in() -> Any:
    declared.GIVEN.clear()
    declared.BROKEN.clear()
    return record(declared.SigningIn)


def rotate(*arguments: str) -> str:
    output = io.StringIO()
    call_command("wfe_rotate_secrets", *arguments, stdout=output)
    return output.getvalue()


def store_in_clear() -> StepRun:
    """Make a job whose input is kept as it was before secrets were encrypted."""
    job_id = order_workflow_execution(declared.SigningIn, first_input=INPUT)
    StepRun.objects.filter(job_id=job_id, number=1).update(external_data=INPUT)
    return StepRun.objects.get(job_id=job_id, number=1)


def read(run: StepRun) -> Any:
    run.refresh_from_db()
    return run.external_data


def test_what_was_kept_in_clear_is_encrypted_where_it_stands() -> None:
    run = store_in_clear()
    beside = start_job(Ordering, first_input={"day": "2026-01-31"})
    before = StepRun.objects.get(pk=beside.step_run_id).external_data
    assert rotate() == "1 row holds secrets; 1 encrypted with the first key now.\n"
    kept = read(run)
    assert (kept["user"], kept["login"]["user"]) == ("ada", "a")
    assert all(MARK in part for part in (kept["password"], kept["pin"], kept["token"], kept["login"]["password"]))
    assert unseal(kept) == INPUT
    assert StepRun.objects.get(pk=beside.step_run_id).external_data == before
    assert run_ready(run.job_id).state == JobState.FINISHED


def test_jobs_of_a_definition_that_tells_nothing_of_its_secrets_are_found_by_the_code() -> None:
    run = store_in_clear()
    for definition in Definition.objects.all():
        graph = json.loads(json.dumps(definition.graph).replace('"writeOnly": true', '"title": "x"'))
        Definition.objects.filter(pk=definition.pk).update(graph=graph)
    rotate()
    assert MARK in read(run)["pin"]


def test_what_is_under_another_key_is_encrypted_with_the_first() -> None:
    with override_settings(WFE_SECRET_KEYS=[OLD]):
        run = StepRun.objects.get(job_id=order_workflow_execution(declared.SigningIn, first_input=INPUT), number=1)
    with override_settings(WFE_SECRET_KEYS=[NEW, OLD]):
        assert "1 encrypted" in rotate()
        kept = read(run)
        assert rotate() == "1 row holds secrets; 0 encrypted with the first key now.\n"
        assert read(run) == kept
    with override_settings(WFE_SECRET_KEYS=[NEW]):
        assert run_ready(run.job_id).state == JobState.FINISHED


def test_it_goes_on_where_it_was_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating_secrets, "BATCH", 2)
    for _ in range(5):
        store_in_clear()
    with pytest.raises(KeyboardInterrupt):
        rotating_secrets.rotate_secrets(tell=_cut_off)
    rows = StepRun.objects.filter(external_data__isnull=False)
    assert sum(MARK in json.dumps(row.external_data) for row in rows) == 2
    output = rotate("-v", "2")
    assert output.splitlines() == [
        "0 encrypted so far.",
        "2 encrypted so far.",
        "3 encrypted so far.",
        "5 rows hold secrets; 3 encrypted with the first key now.",
    ]


def _cut_off(rotation: Any) -> None:
    raise KeyboardInterrupt


def test_what_no_key_decrypts_is_counted_and_left_as_it_is() -> None:
    with override_settings(WFE_SECRET_KEYS=[OLD]):
        run = StepRun.objects.get(job_id=order_workflow_execution(declared.SigningIn, first_input=INPUT), number=1)
    kept, other = read(run), store_in_clear()
    with pytest.raises(CommandError, match="No key decrypts the secrets of 1 row") as raised:
        rotate()
    assert raised.value.returncode == 1
    assert read(run) == kept
    assert MARK in read(other)["password"]


def test_refused_input_bulk_runs_and_drafts_are_seen_to_as_well() -> None:
    run = store_in_clear()
    event = JobEvent.objects.create(
        job_id=run.job_id, step_run=run, kind="input_refused", data={"detail": "x", "external_data": INPUT}
    )
    bulk = start_bulk("retry", Job.objects.filter(pk=run.job_id))
    BulkRun.objects.filter(pk=bulk.pk).update(options={"external_data": INPUT})
    ann = create_user("ann", "provide_input_job")
    waiting = StepRun.objects.get(job_id=start_job(declared.SigningIn).job_id, state="INPUT_REQUIRED")
    draft = {
        "user": ["ada"],
        "pin": ["7351"],
        "login-user": ["a"],
        "login-password": ["canary"],
        "logins": ["0"],
        "logins-0-user": ["b"],
        "logins-0-password": ["canary"],
        "codes": ['{"a": "canary"}'],
        "misspelt": ["canary"],
    }
    save_draft(waiting.pk, draft, ann)
    assert rotate() == "4 rows hold secrets; 4 encrypted with the first key now.\n"
    for kept in (JobEvent.objects.get(pk=event.pk).data, BulkRun.objects.get(pk=bulk.pk).options):
        assert "canary" not in json.dumps(kept)
        assert unseal(kept["external_data"]) == INPUT
    kept = Assignment.objects.get(step_run=waiting).draft
    assert kept == {"user": ["ada"], "login-user": ["a"], "logins": ["0"], "logins-0-user": ["b"]}
    assert rotate() == "3 rows hold secrets; 0 encrypted with the first key now.\n"


def test_input_that_is_given_meanwhile_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    run = store_in_clear()
    seal = rotating_secrets.seal_places

    def give_another(data: Any, places: Any) -> Any:
        StepRun.objects.filter(pk=run.pk).update(external_data={**INPUT, "user": "bob"})
        return seal(data, places)

    monkeypatch.setattr(rotating_secrets, "seal_places", give_another)
    assert "0 encrypted" in rotate()
    assert read(run)["user"] == "bob"


def test_without_the_package_no_job_of_it_starts(monkeypatch: pytest.MonkeyPatch, signing_in: Any) -> None:
    monkeypatch.setattr("django_wfe.definition.schema_problems.find_spec", lambda name: None)
    (problem,) = describe_workflow(declared.SigningIn).problems
    assert (problem.code, problem.node) == ("secret", "tests.declared.secret_workflows.SignIn")
    record(declared.SigningIn)
    with pytest.raises(InvalidWorkflow, match="cryptography is not installed"):
        start_job(signing_in.pk)


def test_without_the_package_it_says_what_to_install(request: pytest.FixtureRequest) -> None:
    store_in_clear()
    request.getfixturevalue("without_package")
    with pytest.raises(CommandError, match="pip install"):
        rotate()
