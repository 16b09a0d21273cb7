"""What the check of the demo does with each sample Workflow. Each scenario returns the id of the Job it finished."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from http import HTTPStatus
from urllib.parse import urljoin

from tests.support.demo.browser import UnexpectedPage
from tests.support.demo.pages import Page
from tests.support.demo.visits import Given, Visit

OWN_FILE = b"""city;country;opened
Hamburg;DE;2009-04-01
Porto;PT
Wien;AT;2013-06-03
"""


def take_in_the_time_zones(visit: Visit) -> int:
    """The real file that ships with the demo: ``clerk``, who may not start it, keeps the row that is doubtful."""
    job = visit.start_job("File intake")
    refuse_start(visit, "File intake")
    visit.answer(visit.open_question(job, "AskForFile"), {"sample": "zone1970.tab"})
    review = visit.open_question(job, "ReviewRows")
    verdicts = [{"line": line, "verdict": "keep"} for line in read_doubtful_lines(review)]
    visit.answer(review, {"verdicts": verdicts})
    expect_outcome(visit, job, "zone1970.tab: 312 rows, 312 kept, 0 dropped, 1 reviews.")
    return job


def take_in_an_uploaded_table(visit: Visit) -> int:
    """A table of one's own: ``clerk`` corrects a row, after a first try that lacks the correction."""
    job = visit.start_job("File intake")
    question = visit.open_question(job, "AskForFile")
    question = visit.answer_wrongly(question, {}, "Choose a sample file or upload one of your own")
    visit.answer(question, {"upload": ("offices.csv", OWN_FILE)})
    review = visit.open_question(job, "ReviewRows")
    [line] = read_doubtful_lines(review)
    verdict = {"line": line, "verdict": "correct"}
    review = visit.answer_wrongly(review, {"verdicts": [verdict]}, "Write the whole row as it should read")
    visit.answer(review, {"verdicts": [{**verdict, "corrected": "Porto;PT;2011-09-15"}]})
    expect_outcome(visit, job, "uploaded file: 3 rows, 3 kept, 0 dropped, 1 reviews.")
    return job


def take_in_json_in_two_reviews(visit: Visit) -> int:
    """A JSON file: ``clerk`` forgets one of two doubtful entries, and is asked again about that one."""
    job = visit.start_job("File intake")
    visit.answer(visit.open_question(job, "AskForFile"), {"sample": "stations.json"})
    review = visit.open_question(job, "ReviewRows")
    forgotten, dropped = read_doubtful_lines(review)
    visit.answer(review, {"verdicts": [{"line": dropped, "verdict": "drop"}]})
    review = visit.open_question(job, "ReviewRows")
    if read_doubtful_lines(review) != [forgotten]:
        raise UnexpectedPage(f"{review.address} does not ask again about entry {forgotten} alone: {review.text[:2000]}")
    visit.answer(review, {"verdicts": [{"line": forgotten, "verdict": "keep"}]})
    expect_outcome(visit, job, "stations.json: 5 rows, 4 kept, 1 dropped, 2 reviews.")
    return job


def purchase_after_a_change(visit: Visit) -> int:
    """A purchase for the team lead, who wants changes; the smaller one needs no approval."""
    job = visit.start_job("Purchase approval")
    request: dict[str, Given] = {
        "requester": "Kim",
        "cost_centre": "office",
        "needed_by": (date.today() + timedelta(days=14)).isoformat(),
        "note": "For the new room.",
    }
    desk = {"description": "Desk", "quantity": "2", "unit_price": "399.00"}
    lamp = {"description": "Desk lamp", "quantity": "2", "unit_price": "49.90"}
    question = visit.open_question(job, "RequestPurchase")
    question = visit.answer_wrongly(question, {**request, "items": [{**desk, "quantity": "0"}, lamp]}, "greater than")
    visit.answer(question, {"items": [desk, lamp]})
    question = visit.open_question(job, "AskTeamLead")
    question = visit.answer_wrongly(question, {"answer": "ask for changes"}, "Say why, or what to change")
    visit.answer(question, {"answer": "ask for changes", "comment": "There are desks in the cellar."})
    visit.answer(visit.open_question(job, "Revise"), {"items": [lamp], "note": "No desks."})
    expect_outcome(visit, job, '"total": "99.80"')
    return job


def purchase_for_the_director(visit: Visit) -> int:
    """A large purchase, approved by the director."""
    job = visit.start_job("Purchase approval")
    request: dict[str, Given] = {
        "requester": "Kim",
        "cost_centre": "workshop",
        "items": [{"description": "Lathe", "quantity": "1", "unit_price": "12500.00"}],
        "needed_by": date.today().isoformat(),
    }
    visit.answer(visit.open_question(job, "RequestPurchase"), request)
    visit.answer(visit.open_question(job, "AskDirector"), {"answer": "approve"})
    expect_outcome(visit, job, '"outcome": "ordered"')
    return job


def deliver_by_a_carrier_that_recovers(visit: Visit) -> int:
    """A carrier that fails once: the step is tried again without anybody's help."""
    job = visit.start_job("Flaky delivery", {"order": "1009", "weight": "0.5", "carrier": "Recovers"})
    address = {"name": "Kim", "street": "High Street 1", "postcode": "12345", "town": "Oldtown"}
    visit.answer(visit.open_question(job, "CallCarrier"), address)
    confirm_delivery(visit, job)
    return job


def deliver_after_two_retries(visit: Visit) -> int:
    """A carrier that is down: ``admin`` retries until it answers."""
    job = visit.start_job("Flaky delivery", {"order": "1009", "weight": "1.5", "carrier": "Down"})
    address = {"name": "Kim", "street": "High Street 1", "postcode": "12345", "town": "Oldtown"}
    visit.answer(visit.open_question(job, "CallCarrier"), address)
    visit.retry(job)
    visit.retry(job)
    confirm_delivery(visit, job)
    return job


def deliver_with_another_address(visit: Visit) -> int:
    """A carrier that refuses an address: ``admin`` mends the input of the step and retries."""
    job = visit.start_job("Flaky delivery", {"order": "1009", "weight": "2", "carrier": "Strict"})
    address = {"name": "Kim", "street": "High Street 1", "town": "Oldtown"}
    visit.answer(visit.open_question(job, "CallCarrier"), address)
    visit.retry(job, {"postcode": "12345"})
    confirm_delivery(visit, job)
    return job


def confirm_delivery(visit: Visit, job: int) -> None:
    """The parcel has arrived."""
    today = date.today().isoformat()
    arrival: dict[str, Given] = {"delivered_on": today, "handed_to": "a neighbour", "damaged": True}
    visit.answer(visit.open_question(job, "ConfirmDelivery"), arrival)
    expect_outcome(visit, job, f"was given to a neighbour on {today}. We are sorry that it was damaged")


def refuse_start(visit: Visit, workflow: str) -> None:
    """``clerk`` sees the workflow, but is turned away from the page that starts a Job of it."""
    page = visit.clerk.get("/admin/django_wfe/workflow/")
    visit.clerk.get(urljoin(page.find_link(workflow), "../start/"), status=HTTPStatus.FORBIDDEN)


def expect_outcome(visit: Visit, job: int, outcome: str) -> None:
    """``clerk`` waits until the Job has finished, and reads its outcome on its page.

    Raises ``UnexpectedPage`` where the page does not hold ``outcome``.
    """
    page = visit.wait_for_state(job, "FINISHED", by=visit.clerk)
    if outcome not in page.text:
        raise UnexpectedPage(f"{page.address} does not tell the outcome {outcome!r}: {page.text}")


def read_doubtful_lines(page: Page) -> list[str]:
    """The numbers of the doubtful rows, from the result of the step before that the form's page shows."""
    lines = re.findall(r'"line": (\d+)', page.text)
    if not lines:
        raise UnexpectedPage(f"{page.address} does not show the doubtful rows: {page.text[:2000]}")
    return lines


SCENARIOS: tuple[tuple[str, Callable[[Visit], int]], ...] = (
    ("the table of time zones, one row kept by hand", take_in_the_time_zones),
    ("an uploaded table, one row corrected", take_in_an_uploaded_table),
    ("a JSON file, reviewed in two rounds", take_in_json_in_two_reviews),
    ("a purchase that the team lead wants changed", purchase_after_a_change),
    ("a purchase that the director approves", purchase_for_the_director),
    ("a carrier that fails once", deliver_by_a_carrier_that_recovers),
    ("a carrier that is down until retried", deliver_after_two_retries),
    ("a carrier that refuses an address", deliver_with_another_address),
)
