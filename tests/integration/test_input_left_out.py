"""What is said of input that does not validate leaves the input out, and only people with the right are told it."""

import importlib
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pydantic import AfterValidator, BaseModel, ValidationError, create_model

from django_wfe import order_workflow_execution, provide_external_input, signals
from django_wfe.engine.errors.failures import describe_failure
from django_wfe.engine.errors.tracebacks import say, say_briefly
from django_wfe.engine.lifecycle import cancel_job, explain_job
from django_wfe.engine.runs.committing import settle_lost
from django_wfe.engine.store.claims import claim_step_run
from django_wfe.engine.worker.heartbeat import get_worker
from django_wfe.forms import build_input_form
from django_wfe.models import Job, JobEvent, JobState, StepRun, Workflow
from tests import workflows
from tests.declared import causes
from tests.support.doors.console import read_page, record, sign_in
from tests.support.running.engine_helpers import get_last_event, get_last_run, run_ready, start_asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine", "sent")]

CANARY = "hunter2"


class Amount(BaseModel):
    amount: int
    reason: str


def _raise_itself() -> None:
    Amount.model_validate({"amount": CANARY})


def _raise_because_of_it() -> None:
    try:
        _raise_itself()
    except ValidationError as error:
        raise RuntimeError(f"no amount: {error}") from error


def _raise_in_its_place() -> None:
    try:
        _raise_itself()
    except ValidationError as error:
        raise RuntimeError(f"no amount: {error}") from None


def _raise_while_handling_it() -> None:
    try:
        _raise_itself()
    except ValidationError:
        raise RuntimeError("no amount") from None


def _raise_a_group() -> None:
    errors = []
    for raising in (_raise_itself, _raise_because_of_it):
        try:
            raising()
        except Exception as error:
            errors.append(error)
    raise ExceptionGroup("several", [errors[0], ExceptionGroup("more", errors)])


class Strange:
    def __repr__(self) -> str:
        return f"line one\n{CANARY}, input_type=odd]\n"


def _raise_over_several_lines() -> None:
    Amount.model_validate({"amount": Strange(), "reason": ""})


@pytest.mark.parametrize(
    "raising",
    [
        _raise_itself,
        _raise_because_of_it,
        _raise_in_its_place,
        _raise_while_handling_it,
        _raise_a_group,
        _raise_over_several_lines,
    ],
)
def test_what_is_kept_of_an_exception_quotes_no_input(raising: Callable[[], None]) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        raising()
    if raising is not _raise_while_handling_it:
        assert CANARY in "".join(traceback.format_exception(raised.value)), "Python's own text does"
    failure = describe_failure(raised.value, "shop.Charge")
    for text in (failure.message, failure.traceback, say(raised.value), say_briefly(raised.value)):
        assert CANARY not in text
        assert "input_value" not in text
    if raising not in (_raise_while_handling_it, _raise_in_its_place):
        assert "amount" in failure.traceback
        assert "type=int_" in failure.traceback


def _refuse_stored_input(monkeypatch: pytest.MonkeyPatch) -> int:
    record(workflows.Asking)
    job_id = start_asking()
    provide_external_input(job_id, {"some_data": 4711})
    monkeypatch.setattr(workflows.Ask, "UserInputSchema", causes.StricterInput)
    assert run_ready(job_id).state == JobState.INPUT_REQUIRED
    return job_id


def test_stored_input_that_no_longer_validates_is_quoted_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = _refuse_stored_input(monkeypatch)
    event = get_last_event(job_id)
    assert event.kind == "input_refused"
    assert "no longer validates" in event.data["detail"]
    assert event.data["external_data"]["some_data"] == 4711, "under its own key, for those who may see it"
    for text in (event.data["detail"], Job.objects.get(pk=job_id).error):
        assert "4711" not in text
        assert "input_value" not in text


def test_a_person_without_the_right_sees_no_word_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = _refuse_stored_input(monkeypatch)
    address = reverse("admin:django_wfe_job_change", args=[job_id])
    page = read_page(sign_in("view_job").get(address))
    assert "no longer validates" not in page.text
    assert "4711" not in page.text
    page = read_page(sign_in("view_job", "view_job_data").get(address))
    assert "no longer validates" in page.text
    assert "no longer validates" not in explain_job(Job.objects.get(pk=job_id), with_data=False).sentence


def test_an_operators_reason_and_the_engines_detail_are_two_keys() -> None:
    job_id = start_asking()
    cancel_job(job_id, reason="No longer needed.")
    assert get_last_event(job_id).data["reason"] == "No longer needed."
    page = read_page(sign_in("view_job").get(reverse("admin:django_wfe_job_change", args=[job_id])))
    assert "No longer needed." in page.text

    lost = order_workflow_execution(workflows.Linear)
    claim = claim_step_run(get_last_run(lost).pk, get_worker().id)
    assert claim is not None
    settle_lost(claim, "its machine went down")
    data = get_last_event(lost).data
    assert (data.get("reason"), data["detail"]) == (None, "its machine went down")


OLD_TEXT = (
    "1 validation error for Schema\namount\n  Input should be a valid integer, unable to parse string as an integer "
    "[type=int_parsing, input_value='hunter2', input_type=str]\n    For further information visit https://x\nreason\n"
    "  Field required [type=missing, input_value={'amount': 'hunter2, input_type=str]', 'b': 1}, input_type=dict]\n"
    "odd\n  Wrong [type=odd, input_value=line one\nhunter2, input_type=Strange]\n"
    "cut [type=cut, input_value='hunter2"
)


def _migrate() -> None:
    migration = importlib.import_module("django_wfe.migrations.0008_leave_input_out")
    migration.leave_input_out(None, SimpleNamespace(connection=connection))


def test_the_migration_takes_it_out_of_what_was_stored() -> None:
    record(workflows.Failing)
    failed, other = (order_workflow_execution(workflows.Failing) for _ in range(2))
    Job.objects.filter(pk=failed).update(error=f"shop.Ask: {OLD_TEXT}", state="FAILED")
    StepRun.objects.filter(job_id=failed, number=1).update(error=OLD_TEXT, traceback=OLD_TEXT, state="FAILED")
    Workflow.objects.update(load_error=OLD_TEXT)
    kinds = ("input_refused", "parked", "step_lost", "failed", "retry_scheduled", "canceled")
    for kind in kinds:
        key = "error" if kind in ("failed", "retry_scheduled") else "reason"
        JobEvent.objects.create(job_id=failed, kind=kind, data={"step": "shop.Ask", key: OLD_TEXT, "attempt": 1})
    untouched = list(JobEvent.objects.filter(job_id=other).values())
    for _time in range(2):
        _migrate()
        job, run = Job.objects.get(pk=failed), StepRun.objects.get(job_id=failed, number=1)
        events = {event.kind: event.data for event in JobEvent.objects.filter(job_id=failed, kind__in=kinds)}
        cleaned = [job.error, run.error, run.traceback, Workflow.objects.get().load_error]
        cleaned += [events[kind]["detail"] for kind in ("input_refused", "parked", "step_lost")]
        cleaned += [events[kind]["error"] for kind in ("failed", "retry_scheduled")]
        for text in cleaned:
            assert CANARY not in text
            assert "input_value" not in text
            assert "Field required [type=missing]" in text
            assert "unable to parse string as an integer [type=int_parsing]" in text
        assert {kind for kind, data in events.items() if "reason" in data} == {"canceled"}
        assert events["canceled"]["reason"] == OLD_TEXT, "what an operator wrote is the operator's"
        assert events["parked"]["attempt"] == 1
    assert list(JobEvent.objects.filter(job_id=other).values()) == untouched


def test_the_migration_reads_each_table_once_where_there_is_nothing_to_do() -> None:
    order_workflow_execution(workflows.Linear)
    with CaptureQueriesContext(connection) as queries:
        _migrate()
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"] * 5


def test_what_a_receiver_of_a_signal_raises_is_logged_without_it(caplog: pytest.LogCaptureFixture, commit: Any) -> None:
    def check(**named: Any) -> None:
        _raise_because_of_it()

    signals.job_canceled.connect(check)
    try:
        job_id = start_asking()
        with commit():
            cancel_job(job_id)
    finally:
        signals.job_canceled.disconnect(check)
    assert "The signal receiver" in caplog.text
    assert "_raise_because_of_it" in caplog.text, "with its traceback"
    assert CANARY not in caplog.text


def test_what_a_validator_raises_in_a_form_is_logged_without_it(caplog: pytest.LogCaptureFixture) -> None:
    def check(value: str) -> str:
        _raise_because_of_it()
        return value

    schema = create_model("Schema", value=(Annotated[str, AfterValidator(check)], ...))
    form = build_input_form(schema)({"value": "x"})
    assert not form.is_valid()
    assert "Schema, which checks an input, raised RuntimeError" in caplog.text
    assert "_raise_because_of_it" in caplog.text
    for text in (caplog.text, str(form)):
        assert CANARY not in text
