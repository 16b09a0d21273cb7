"""What the pages of repairing verbs fill in, show before they act, and say of what happens again."""

import json
from typing import Any

import pytest
from django.urls import reverse

from django_wfe import steps, workflows
from django_wfe.engine.lifecycle import provide_external_input, rerun_job, run_workflow
from django_wfe.models import StepRun
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Ask, Asking, Fetch, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class Divide(steps.Step):
    """Takes what it is given, and fails at a zero."""

    def execute(self, _input: Any) -> Any:
        return {"share": 12 / _input["rows"]}


class FetchNone(Fetch):
    """Gets nothing."""

    def execute(self, _input: Any = None, *args: Any, **kwargs: Any) -> Any:
        return {"rows": 0}


class Dividing(workflows.Workflow):
    """Fails on wrong data, and asks for no external input."""

    DIGRAPH = {steps.__start__: [FetchNone], FetchNone: [Divide]}


def build(job_id: int, verb: str) -> str:
    return reverse("admin:django_wfe_job_verb", args=[job_id, verb])


def read_form(response: Any) -> dict[str, str]:
    [form] = [form for form in read_page(response).forms if form.identifier == "verb-form"]
    return {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}


def fail() -> int:
    return run_workflow(record(Dividing))


def test_wrong_input_of_any_step_is_corrected_after_a_look_at_the_difference() -> None:
    job_id, client = fail(), sign_in_superuser()
    posted = read_form(client.get(build(job_id, "retry")))
    assert posted["step_input"].split() == ["{", '"rows":', "0", "}"]
    looked = client.post(build(job_id, "retry"), {**posted, "step_input": '{"rows": 3}'})
    page = read_page(looked)
    assert '- "rows": 0' in " ".join(page.text.split())
    assert '+ "rows": 3' in " ".join(page.text.split())
    assert StepRun.objects.filter(job_id=job_id, number=2).count() == 1
    client.post(build(job_id, "retry"), read_form(looked))
    assert run_ready(job_id).state == "FINISHED"
    run = StepRun.objects.get(job_id=job_id, number=2, attempt=2)
    assert (run.edited_input, run.result) == ({"value": {"rows": 3}}, {"share": 4.0})


def test_what_is_changed_once_more_after_the_look_is_shown_once_more() -> None:
    job_id, client = fail(), sign_in_superuser()
    posted = read_form(client.get(build(job_id, "retry")))
    looked = read_form(client.post(build(job_id, "retry"), {**posted, "step_input": '{"rows": 3}'}))
    again = client.post(build(job_id, "retry"), {**looked, "step_input": '{"rows": 4}'})
    assert '+ "rows": 4' in " ".join(read_page(again).text.split())
    assert StepRun.objects.filter(job_id=job_id, number=2).count() == 1


def test_the_script_that_shows_the_difference_beside_the_field_spares_the_page_in_between() -> None:
    job_id, client = fail(), sign_in_superuser()
    posted = read_form(client.get(build(job_id, "retry")))
    client.post(build(job_id, "retry"), {**posted, "step_input": '{"rows": 3}', "difference_seen": "as typed"})
    assert run_ready(job_id).state == "FINISHED"


def test_input_that_stays_as_it_was_is_not_recorded_as_edited() -> None:
    job_id, client = fail(), sign_in_superuser()
    posted = read_form(client.get(build(job_id, "retry")))
    client.post(build(job_id, "retry"), {**posted, "step_input": posted["step_input"].replace("\n", "\r\n")})
    assert StepRun.objects.get(job_id=job_id, number=2, attempt=2).edited_input is None


def test_junk_in_the_place_of_the_input_starts_nothing() -> None:
    job_id, client = fail(), sign_in_superuser()
    posted = read_form(client.get(build(job_id, "retry")))
    assert client.post(build(job_id, "retry"), {**posted, "step_input": "{"}).status_code == 200
    assert StepRun.objects.filter(job_id=job_id, number=2).count() == 1


def test_who_may_not_see_the_data_is_not_offered_to_edit_it() -> None:
    job_id = fail()
    assert "step_input" not in read_form(sign_in("view_job", "retry_job").get(build(job_id, "retry")))


@pytest.mark.parametrize(("verb", "field"), [("retry", "step_input"), ("skip", "result")])
def test_what_cannot_be_seen_is_escaped_where_it_is_edited(verb: str, field: str) -> None:
    job_id = fail()
    odd = {"rows": 0, "name": "left\u202eright\x9b"}
    StepRun.objects.filter(job_id=job_id, number=1).update(result=odd)
    again = StepRun.objects.get(job_id=job_id, number=2)
    StepRun.objects.create(job_id=job_id, number=2, attempt=2, step=again.step, state="FINISHED", result=odd)
    StepRun.objects.filter(job_id=job_id, attempt=2).update(superseded=True)
    text = read_form(sign_in_superuser().get(build(job_id, verb)))[field]
    assert "left\\u202eright\\u009b" in text
    assert json.loads(text) == odd


def test_skip_is_filled_in_with_what_the_step_returned_when_it_last_went_well() -> None:
    job_id, client = run_workflow(record(Linear)), sign_in_superuser()
    rerun_job(job_id, 2)
    assert read_form(client.get(build(job_id, "skip")))["result"].split() == ["{", '"rows":', "6", "}"]
    assert read_form(sign_in("view_job", "skip_job").get(build(job_id, "skip")))["result"] == ""


def test_rerun_lists_what_is_superseded_and_says_that_effects_happen_again() -> None:
    job_id = run_workflow(record(Linear))
    page = read_page(sign_in_superuser().get(build(job_id, "rerun")))
    assert [row.facts["run"] for row in page.rows if "run" in row.facts] == ["3", "2", "1"]
    assert "happens again" in page.text


def test_after_a_rerun_the_question_offers_the_answer_given_before() -> None:
    job_id = run_workflow(record(Asking))
    provide_external_input(job_id, {"some_data": 17})
    run_ready(job_id)
    number = StepRun.objects.get(job_id=job_id, step__endswith=f".{Ask.__name__}").number
    rerun_job(job_id, number)
    address = reverse("admin:django_wfe_job_input", args=[job_id])
    page = read_page(sign_in_superuser().get(address))
    assert page.find_form("input-some_data").get("input-some_data").values == ["17"]
    page = read_page(sign_in("view_job", "provide_input_job").get(address))
    assert page.find_form("input-some_data").get("input-some_data").values in ([], [""])
