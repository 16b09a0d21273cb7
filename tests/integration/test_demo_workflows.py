"""The sample workflows from start to end, on a real database."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from django_wfe import provide_external_input, run_workflow
from django_wfe.demo.workflows import file_intake, flaky_delivery, monthly_report, purchase_approval, stock_count
from django_wfe.engine.lifecycle import retry_job
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import Job, JobState, StepRunState
from django_wfe.steps import Step, dotted_path
from tests.support.running.engine_helpers import read_log
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

ITEM = {"description": "Chair", "quantity": 2, "unit_price": "99.90"}
REQUEST = {"requester": "Ada", "cost_centre": "office", "items": [ITEM], "needed_by": "2027-01-31"}
ADDRESS = {"name": "Ada", "street": "Main Street 1", "postcode": "8610", "town": "Uster"}
ARRIVED = {"delivered_on": "2027-02-01", "handed_to": "a neighbour"}


def run_until_idle(job_id: int) -> Job:
    """Run what is ready of a job, as workers would, until it ends or waits for a person; retries when they are due."""

    def run_what_is_due() -> Job | None:
        job = Job.objects.get(pk=job_id)
        for step_run in job.step_runs.filter(state=StepRunState.READY, due_at__lte=Now()):
            run_step_run(step_run.pk)
        job.refresh_from_db()
        waits = job.step_runs.filter(state__in=[StepRunState.READY, StepRunState.RUNNING]).exists()
        return None if waits else job

    return wait_until(run_what_is_due, message=f"job {job_id} did not come to rest")


def start_and_give(workflow: type, *given: dict[str, Any] | tuple[type[Step], dict[str, Any]]) -> Job:
    """Start a job, with data if they come first, and give it these answers, each when its step asks for it."""
    starts_with = next((first for first in given[:1] if isinstance(first, dict)), {})
    job = Job.objects.get(pk=run_workflow(workflow, input=starts_with) if starts_with else run_workflow(workflow))
    for answered in given:
        if isinstance(answered, dict):
            continue
        step, answer = answered
        assert (job.state, job.current_step) == (JobState.INPUT_REQUIRED, dotted_path(step)), job.error
        provide_external_input(job.pk, answer)
        job = run_until_idle(job.pk)
    return job


def list_steps(job: Job) -> list[str]:
    """Give the class names of what has run, the start left out."""
    return [entry["step"].rpartition(".")[2] for entry in job.storage["data"][1:]]


def get_result(job: Job) -> dict[str, Any]:
    """Give the result of the last step, of a job that must have finished."""
    assert job.state == JobState.FINISHED, job.error
    result: dict[str, Any] = job.storage["data"][-1]["result"]
    return result


class TestFileIntake:
    def test_real_time_zone_table_is_taken_in_after_one_row_was_kept_by_a_person(self) -> None:
        job = start_and_give(
            file_intake.FileIntake,
            (file_intake.AskForFile, {"sample": "zone1970.tab"}),
            (file_intake.ReviewRows, {"verdicts": [{"line": 255, "verdict": "keep"}]}),
        )
        result = get_result(job)
        assert (result["rows"], result["kept"], result["dropped"]) == (312, 312, 0)
        assert "ParseDelimited" in list_steps(job)
        assert "Line 255: Countries after the first are not in alphabetical order: AI." in read_log(job)

    def test_file_without_doubtful_rows_needs_nobody(self) -> None:
        job = start_and_give(file_intake.FileIntake, (file_intake.AskForFile, {"sample": "iso3166.tab"}))
        assert get_result(job)["kept"] == 249
        assert "ReviewRows" not in list_steps(job)

    def test_row_corrected_wrongly_and_row_forgotten_come_back(self) -> None:
        upload = "name;country\nHill 1;CH\nPort 2;NL\nIsle 3;UK\nCape 4;XX\nGlen 5;IE\n"
        first = [{"line": 4, "verdict": "correct", "corrected": "Isle 3;EN"}]
        second = [{"line": 4, "verdict": "correct", "corrected": "Isle 3;GB"}, {"line": 5, "verdict": "drop"}]
        job = start_and_give(
            file_intake.FileIntake,
            (file_intake.AskForFile, {"upload": upload}),
            (file_intake.ReviewRows, {"verdicts": first}),
            (file_intake.ReviewRows, {"verdicts": second}),
        )
        result = get_result(job)
        assert (result["rows"], result["kept"], result["dropped"]) == (5, 4, 1)
        assert list_steps(job).count("ReviewRows") == 2

    @pytest.mark.parametrize(
        ("sample", "parser", "lines"), [("stations.json", "ParseJson", [3, 5]), ("README.md", "ParseOther", [])]
    )
    def test_json_and_plain_text_go_their_own_ways(self, sample: str, parser: str, lines: list[int]) -> None:
        job = start_and_give(file_intake.FileIntake, (file_intake.AskForFile, {"sample": sample}))
        if lines:
            provide_external_input(job.pk, {"verdicts": [{"line": line, "verdict": "drop"} for line in lines]})
            job = run_until_idle(job.pk)
        assert get_result(job)["dropped"] == len(lines)
        assert parser in list_steps(job)


class TestPurchaseApproval:
    def test_small_purchase_is_ordered_without_asking(self) -> None:
        job = start_and_give(purchase_approval.PurchaseApproval, (purchase_approval.RequestPurchase, REQUEST))
        result = get_result(job)
        assert (result["outcome"], result["total"]) == ("ordered", "199.80")

    def test_medium_purchase_goes_back_to_the_requester_and_becomes_small(self) -> None:
        many = {**REQUEST, "items": [{**ITEM, "quantity": 3}]}
        job = start_and_give(
            purchase_approval.PurchaseApproval,
            (purchase_approval.RequestPurchase, many),
            (purchase_approval.AskTeamLead, {"answer": "ask for changes", "comment": "Two will do."}),
            (purchase_approval.Revise, {"items": [ITEM]}),
        )
        assert get_result(job)["total"] == "199.80"
        assert list_steps(job).count("Total") == 2
        assert "the team lead wanted: Two will do." in read_log(job)

    def test_large_purchase_is_rejected_by_the_director(self) -> None:
        large = {**REQUEST, "items": [{**ITEM, "quantity": 100}]}
        job = start_and_give(
            purchase_approval.PurchaseApproval,
            (purchase_approval.RequestPurchase, large),
            (purchase_approval.AskDirector, {"answer": "reject", "comment": "Not this year."}),
        )
        assert get_result(job) == {"outcome": "rejected", "comment": "Not this year.", "total": "9990.00"}


class TestFlakyDelivery:
    @pytest.mark.parametrize(("carrier", "attempts"), [("WORKS", 1), ("RECOVERS", 2)])
    def test_delivery_needs_no_operator_when_the_carrier_works_or_recovers(self, carrier: str, attempts: int) -> None:
        job = start_and_give(
            flaky_delivery.FlakyDelivery,
            pack(carrier),
            (flaky_delivery.CallCarrier, ADDRESS),
            (flaky_delivery.ConfirmDelivery, ARRIVED),
        )
        assert "given to a neighbour on 2027-02-01" in get_result(job)["message"]
        assert job.step_runs.filter(step=dotted_path(flaky_delivery.CallCarrier)).count() == attempts

    def test_operator_adds_the_postcode_that_a_strict_carrier_asks_for(self) -> None:
        job = start_and_give(
            flaky_delivery.FlakyDelivery,
            pack("STRICT"),
            (flaky_delivery.CallCarrier, {**ADDRESS, "postcode": ""}),
        )
        assert job.state == JobState.FAILED
        assert "without a postcode" in job.error
        retry_job(job.pk, external_data=ADDRESS)
        job = finish(job)
        [called] = [entry for entry in job.storage["data"] if entry["step"] == dotted_path(flaky_delivery.CallCarrier)]
        assert called["result"]["address"]["postcode"] == "8610"

    @pytest.mark.parametrize(("carrier", "retries", "attempts"), [("BACK", 1, 3), ("DOWN", 2, 4)])
    def test_operator_retries_until_the_carrier_is_back(self, carrier: str, retries: int, attempts: int) -> None:
        job = start_and_give(
            flaky_delivery.FlakyDelivery,
            pack(carrier),
            (flaky_delivery.CallCarrier, ADDRESS),
        )
        for _ in range(retries):
            assert (job.state, job.current_step) == (JobState.FAILED, dotted_path(flaky_delivery.CallCarrier))
            retry_job(job.pk)
            job = run_until_idle(job.pk)
        finish(job)
        assert job.step_runs.filter(step=dotted_path(flaky_delivery.CallCarrier)).count() == attempts


def pack(carrier: str) -> dict[str, Any]:
    """Return what a delivery starts with."""
    return {"order": "1009", "weight": 1.5, "carrier": flaky_delivery.Carrier[carrier].value}


def finish(job: Job) -> Job:
    """Confirm the delivery of a repaired job."""
    job = run_until_idle(job.pk)
    assert job.state == JobState.INPUT_REQUIRED, job.error
    provide_external_input(job.pk, ARRIVED)
    job = run_until_idle(job.pk)
    assert job.state == JobState.FINISHED, job.error
    return job


class TestMonthlyReport:
    def test_figures_are_collected_and_mailed(self) -> None:
        job = start_and_give(monthly_report.MonthlyReport, {"minutes": 0.0005, "mail_server": "works"})
        assert get_result(job) == {"sent": True, "figures": 1}

    def test_mail_server_that_is_down_is_tried_again_in_a_quarter_of_an_hour(self) -> None:
        given = {"minutes": 0, "mail_server": "is down until tomorrow"}
        job = Job.objects.get(pk=run_workflow(monthly_report.MonthlyReport, input=given))
        for _ in range(3):
            for step_run in job.step_runs.filter(state=StepRunState.READY, due_at__lte=Now()):
                run_step_run(step_run.pk)
        job.refresh_from_db()
        assert (job.state, job.current_step) == (JobState.WAITING, dotted_path(monthly_report.MailReport))
        waiting = job.step_runs.get(state=StepRunState.READY)
        assert waiting.due_at - waiting.created_at == timedelta(seconds=monthly_report.RETRY_AFTER)


class TestStockCount:
    def test_differences_are_booked(self) -> None:
        counted = [{"article": "Shelf", "count": 20}, {"article": "Ladder", "count": 1}]
        job = start_and_give(stock_count.StockCount, (stock_count.EnterCount, {"counted": counted}))
        assert get_result(job) == [
            {"article": "Shelf", "count": 20, "expected": 22, "difference": -2},
            {"article": "Ladder", "count": 1, "expected": 0, "difference": 1},
        ]
