"""The operator verbs in the console: what their pages say, do and leave alone."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from django_wfe import order_workflow_execution, steps, workflows
from django_wfe.demo.workflows.flaky_delivery import FlakyDelivery
from django_wfe.engine.lifecycle import VERBS, pause_job, provide_external_input, run_workflow
from django_wfe.models import Job, JobEvent, StepRun
from tests.support.doors.console import describe_database, list_messages, read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import get_last_run, run_ready
from tests.workflows import Ask, Asking, Fail, Failing, Left, Linear, Right

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class Choose(steps.Decision):
    labels = ("to the left", "to the right")

    def transition(self, _input=None):
        return 7


class AskAgain(Ask):
    """Asks once more."""


class AskingTwice(workflows.Workflow):
    """Waits twice, one time after the other."""

    DIGRAPH = {steps.__start__: [Ask], Ask: [AskAgain]}


class Choosing(workflows.Workflow):
    """Its decision names no edge, and fails."""

    DIGRAPH = {steps.__start__: [Choose], Choose: [Left, Right]}


def build(job_id: int, verb: str) -> str:
    return reverse("admin:django_wfe_job_verb", args=[job_id, verb])


def start(workflow: type[workflows.Workflow]) -> int:
    return run_workflow(record(workflow))


def get_state(job_id: int) -> str:
    return Job.objects.get(pk=job_id).state


def act(job_id: int, verb: str, **data: Any) -> Any:
    """Open a verb's page, which changes nothing, and send its form."""
    client, before = sign_in_superuser(), describe_database()
    read_page(client.get(build(job_id, verb)))
    assert describe_database() == before
    return client.post(build(job_id, verb), {**read_form(client, build(job_id, verb)), **data}, follow=True)


def read_form(client: Client, address: str) -> dict[str, str]:
    """What the form of a verb's page would post as it stands."""
    [form] = [form for form in read_page(client.get(address)).forms if form.identifier == "verb-form"]
    return {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}


def test_cancel_says_what_will_happen_and_keeps_who_and_why() -> None:
    job_id = start(Asking)
    page = read_page(sign_in_superuser().get(build(job_id, "cancel")))
    assert "The job ends as canceled, at its present step." in page.text
    response = act(job_id, "cancel", reason="Ordered twice.")
    assert list_messages(response) == [f"Asking #{job_id} was canceled."]
    assert get_state(job_id) == "CANCELED"
    event = JobEvent.objects.filter(job_id=job_id).latest("pk")
    assert (event.kind, event.source, event.data["reason"]) == ("canceled", "admin", "Ordered twice.")
    assert event.actor is not None
    assert LogEntry.objects.get().change_message == "Cancel. Ordered twice."
    assert "Ordered twice." in read_page(response).text


def test_pause_and_resume() -> None:
    job_id = start(Asking)
    act(job_id, "pause", reason="Until Monday.")
    assert get_state(job_id) == "PAUSED"
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_job_change", args=[job_id])))
    assert "Until Monday." in page.text
    act(job_id, "resume")
    assert get_state(job_id) == "INPUT_REQUIRED"


def test_retry_runs_the_failed_step_again() -> None:
    job_id = start(Failing)
    act(job_id, "retry")
    assert run_ready(job_id).state == "FINISHED"


def test_retry_with_other_input() -> None:
    job_id = _fail_delivery()
    client = sign_in_superuser()
    form = read_page(client.get(build(job_id, "retry"))).find_form("change_input")
    assert form.get("input-town").values == ["Uster"]
    response = act(job_id, "retry", **{"change_input": "on", "input-postcode": "8610"})
    assert list_messages(response) == [f"Flaky delivery #{job_id} tries its step again."]
    job = run_ready(job_id)
    assert job.current_step.endswith("ConfirmDelivery")
    run = StepRun.objects.get(job_id=job_id, number=2, attempt=2)
    assert run.external_data["postcode"] == "8610"
    assert StepRun.objects.get(job_id=job_id, number=2, attempt=1).external_data["postcode"] == ""


def test_retry_shows_what_is_wrong_with_the_other_input() -> None:
    job_id = _fail_delivery()
    response = act(job_id, "retry", **{"change_input": "on", "input-town": ""})
    assert get_state(job_id) == "FAILED"
    page = read_page(response)
    assert page.find_form("input-town").get("input-name").values == ["Ada"]
    assert "Field required" in page.text


def test_retry_without_the_tick_leaves_the_input_alone() -> None:
    job_id = _fail_delivery()
    act(job_id, "retry", **{"input-town": "", "input-postcode": "8610"})
    assert get_last_run(job_id).external_data["postcode"] == ""
    assert get_last_run(job_id).attempt == 2


def test_retry_hides_the_former_input_from_those_who_may_not_see_it() -> None:
    job_id = _fail_delivery()
    page = read_page(sign_in("view_job", "retry_job").get(build(job_id, "retry")))
    assert page.find_form("input-town").get("input-town").values in ([], [""])


def test_skip_takes_a_result_and_goes_on() -> None:
    job_id = start(Failing)
    act(job_id, "skip", result='{"made": "by hand"}')
    job = run_ready(job_id)
    assert (job.state, job.storage["data"][-1]["result"]) == ("FINISHED", {"made": "by hand"})


def test_skip_refuses_what_is_no_json() -> None:
    job_id = start(Failing)
    response = act(job_id, "skip", result="{made")
    assert get_state(job_id) == "FAILED"
    assert "This is not JSON" in read_page(response).text


def test_skip_refuses_what_cannot_be_kept() -> None:
    job_id = start(Failing)
    response = act(job_id, "skip", result="NaN")
    assert get_state(job_id) == "FAILED"
    assert "NaN" in read_page(response).text


def test_skip_is_filled_in_with_the_result_in_a_good_job_and_says_what_is_unlike_it() -> None:
    good = start(Failing)
    act(good, "skip", result='{"paid": 5, "by": "card"}')
    assert run_ready(good).state == "FINISHED"
    job_id = start(Failing)
    page = read_page(sign_in_superuser().get(build(job_id, "skip")))
    assert "Filled in with the result in another job." in page.text
    assert page.find_link(f"Failing #{good}") == reverse("admin:django_wfe_job_change", args=[good])
    assert json.loads(page.find_form("result").get("result").values[0]) == {"paid": 5, "by": "card"}
    for typed, doubt in (
        ('{"paid": 5, "by": "card"}', f"This is the result in job {good}, unchanged."),
        ('{"paid": "5", "by": "card"}', "“paid” is a text. It was a number."),
        ('{"paid": 7}', "“by” is missing."),
        ("[7]", "It is a list. The step's result was an object."),
    ):
        response = act(job_id, "skip", result=typed)
        assert doubt in read_page(response).text.replace("’", "'")
        assert get_state(job_id) == "FAILED", "nothing was skipped"
    seen = read_page(act(job_id, "skip", result='{"paid": 7}')).find_form("result").get("doubts_seen").values[0]
    act(job_id, "skip", result='{"paid": 7}', doubts_seen=seen)
    assert run_ready(job_id).storage["data"][-1]["result"] == {"paid": 7}


def test_skip_shows_no_example_to_those_who_may_not_see_data() -> None:
    good = start(Failing)
    act(good, "skip", result='{"paid": 5}')
    run_ready(good)
    page = read_page(sign_in("view_job", "skip_job").get(build(start(Failing), "skip")))
    assert page.find_form("result").get("result").values in ([], [""])
    assert "paid" not in page.text


def test_skip_asks_for_the_way_where_there_are_several() -> None:
    job_id = start(Choosing)
    page = read_page(sign_in_superuser().get(build(job_id, "skip")))
    assert page.find_form("transition").get("transition").options == {
        "0": "to the left → Left",
        "1": "to the right → Right",
    }
    response = act(job_id, "skip", result='{"given": 1}')
    assert get_state(job_id) == "FAILED"
    assert "This field is required." in read_page(response).text
    act(job_id, "skip", result='{"given": 1}', transition="1")
    assert run_ready(job_id).storage["data"][-1]["result"] == "right 1"


def test_rerun_starts_again_from_the_chosen_step() -> None:
    job_id = start(Linear)
    page = read_page(sign_in_superuser().get(build(job_id, "rerun")))
    assert page.find_form("number").get("number").options == {"3": "#3 Store", "2": "#2 Double", "1": "#1 Fetch"}
    act(job_id, "rerun", number="2")
    assert run_ready(job_id).state == "FINISHED"
    assert StepRun.objects.filter(job_id=job_id, superseded=True).count() == 2
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_job_change", args=[job_id])))
    assert "superseded" in page.text


def test_a_number_that_the_job_has_not_is_refused() -> None:
    job_id = start(Linear)
    act(job_id, "rerun", number="99")
    assert get_state(job_id) == "FINISHED"


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"retry", "skip", "rerun"}))
def test_a_job_that_changed_meanwhile_is_left_alone(verb: str) -> None:
    job_id = start(Asking)
    if verb == "resume":
        pause_job(job_id)
    client = sign_in_superuser()
    response = client.post(build(job_id, verb), {"expected_state": "ONGOING"}, follow=True)
    assert list_messages(response)[-1].startswith("Nothing was changed: ")
    assert get_state(job_id) == ("PAUSED" if verb == "resume" else "INPUT_REQUIRED")
    assert not LogEntry.objects.exists()


def test_a_job_that_waits_again_but_at_another_step_is_not_skipped_there() -> None:
    job_id = start(AskingTwice)
    client = sign_in_superuser()
    seen = read_form(client, build(job_id, "skip"))
    provide_external_input(job_id, {"some_data": 1})
    assert run_ready(job_id).state == seen["expected_state"] == "INPUT_REQUIRED"
    response = client.post(build(job_id, "skip"), {**seen, "result": '"for the first"'}, follow=True)
    told = f"Job {job_id} has moved on since you looked; nothing was done."
    assert list_messages(response) == [f"Nothing was changed: {told}"]
    assert not StepRun.objects.filter(job_id=job_id, state="SKIPPED").exists()
    assert not LogEntry.objects.exists()


def test_of_two_operators_who_look_at_the_same_failure_one_retries_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fail, "FAILURES", 9)
    job_id = start(Failing)
    ann, bob = sign_in_superuser(), sign_in_superuser()
    of_ann, of_bob = (read_form(client, build(job_id, "retry")) for client in (ann, bob))
    ann.post(build(job_id, "retry"), of_ann)
    assert run_ready(job_id).state == "FAILED", "again, and so it looks the same to Bob"
    response = bob.post(build(job_id, "retry"), of_bob, follow=True)
    assert "has moved on since you looked" in list_messages(response)[0]
    assert JobEvent.objects.filter(job_id=job_id, kind="retried").count() == 1


def test_a_form_without_the_expected_state_does_nothing() -> None:
    job_id = start(Asking)
    assert sign_in_superuser().post(build(job_id, "cancel"), {}).status_code == 200
    assert get_state(job_id) == "INPUT_REQUIRED"


def test_a_verb_that_is_not_possible_stays_visible_with_its_reason() -> None:
    job_id = start(Linear)
    client = sign_in_superuser()
    page = read_page(client.get(reverse("admin:django_wfe_job_change", args=[job_id])))
    assert "The job has ended already." in page.text
    assert not any(link.address.endswith("/cancel/") for link in page.links)
    page = read_page(client.get(build(job_id, "cancel")))
    assert "Not possible now: The job has ended already." in page.text
    assert not any(form.identifier == "verb-form" for form in page.forms)
    response = client.post(build(job_id, "cancel"), {"expected_state": "FINISHED"}, follow=True)
    assert list_messages(response) == ["Nothing was changed: The job has ended already."]


def test_a_verb_that_is_not_permitted_stays_visible_with_its_reason() -> None:
    job_id = start(Asking)
    page = read_page(sign_in("view_job").get(reverse("admin:django_wfe_job_change", args=[job_id])))
    assert "You need the permission “Can cancel a job”." in page.text
    assert not any(link.address.endswith("/cancel/") for link in page.links)


def _fail_delivery() -> int:
    given = {"order": "1009", "weight": 1.5, "carrier": "refuses an address without a postcode"}
    job_id = order_workflow_execution(FlakyDelivery, input=given)
    run_ready(job_id)
    provide_external_input(job_id, {"name": "Ada", "street": "Main Street 1", "town": "Uster"})
    assert run_ready(job_id).state == "FAILED"
    return job_id
