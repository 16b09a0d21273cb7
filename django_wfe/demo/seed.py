"""Give a new demo Jobs in every state: ``python -m django_wfe.demo.seed``, while workers and watchdog run.

All is done by the engine's own functions, as people would, and by the workers: no row is written here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import django

TIMEOUT = 45.0  # seconds for the Jobs to come where they should be
LOOK_INTERVAL = 0.1  # seconds

ADDRESS = {"street": "Harbour Road 7", "town": "Ghent"}
STRICT_RECIPIENTS = ("The bakery", "The clinic", "The library")
LUCKLESS_RECIPIENTS = ("The bookshop", "The florist", "The school", "The theatre")


def main() -> None:
    """Do it if there is no Job yet; otherwise do nothing."""
    django.setup()
    from django_wfe.models import Job

    if not Job.objects.exists():
        Seeding().run()


class Seeding:
    """Starts the Jobs, answers what they ask, and waits until they are where they should be."""

    def __init__(self) -> None:
        from django.contrib.auth import get_user_model

        users = get_user_model()._default_manager
        self._admin, self._clerk, self._lead = (users.get_by_natural_key(name) for name in ("admin", "clerk", "lead"))
        self._wanted: dict[int, str] = {}

    def run(self) -> None:
        """Create Jobs in every state. Raises ``TimeoutError`` if one does not get there."""
        self._hold_stock_counts()
        self._order_reports()
        self._send_parcels()
        self._ask_for_purchases()
        self._take_in_files()
        for job, state in self._wanted.items():
            self._wait_for_state(job, state)

    def _hold_stock_counts(self) -> None:
        """PENDING and INPUT_RECEIVED: a Workflow that is paused as a whole takes Jobs and answers, and runs nothing."""
        from django_wfe.demo.workflows.stock_count import EXPECTED, StockCount
        from django_wfe.engine.lifecycle import pause_workflow
        from django_wfe.models import Job

        answered = self._start(StockCount, "stock-count-1")
        self._wait_for_question(answered, "EnterCount")
        pause_workflow(
            Job.objects.values_list("workflow", flat=True).get(pk=answered),
            actor=self._admin,
            reason="The warehouse is being moved.",
        )
        counted = [{"article": article, "count": count - 1} for article, count in EXPECTED.items()]
        self._answer(answered, "EnterCount", {"counted": counted})
        self._wanted[answered] = "INPUT_RECEIVED"
        self._wanted[self._start(StockCount, "stock-count-2")] = "PENDING"

    def _order_reports(self) -> None:
        """ONGOING and WAITING: a step that works for half an hour, and one that tries again in a quarter of an hour."""
        from django_wfe.demo.workflows.monthly_report import MonthlyReport

        ongoing = self._start(MonthlyReport, "report-long", {"minutes": 30, "mail_server": "works"})
        self._wanted[ongoing] = "ONGOING"
        waiting = self._start(MonthlyReport, "report-unsent", {"minutes": 0, "mail_server": "is down until tomorrow"})
        self._wanted[waiting] = "WAITING"

    def _send_parcels(self) -> None:
        """FAILED: an incident whose cure is to try again, and one whose cure is another address."""
        down, strict = "is down until an operator retries", "refuses an address without a postcode"
        for carrier, recipients in ((strict, STRICT_RECIPIENTS), (down, LUCKLESS_RECIPIENTS)):
            for number, recipient in enumerate(recipients, start=1):
                job = self._send_parcel(f"parcel-{carrier.split()[0]}-{number}", carrier, recipient)
                self._wanted[job] = "FAILED"
        self._wanted[self._send_parcel("parcel-underway", "works", "H. Willems")] = "INPUT_REQUIRED"

    def _send_parcel(self, key: str, carrier: str, recipient: str) -> int:
        from django_wfe.demo.shop.sample_orders import CUSTOMERS, FIRST_NUMBER
        from django_wfe.demo.workflows.flaky_delivery import FlakyDelivery

        order = str(FIRST_NUMBER + CUSTOMERS.index(recipient))
        job = self._start(FlakyDelivery, key, {"order": order, "weight": 1.5, "carrier": carrier})
        self._answer(job, "CallCarrier", {"name": recipient, **ADDRESS})
        return job

    def _ask_for_purchases(self) -> None:
        """INPUT_REQUIRED, FINISHED, PAUSED and CANCELED: purchases for nobody, for the team lead, for the director."""
        from django_wfe.engine.lifecycle import cancel_job, pause_job

        lamp, desk = _item("Desk lamp", 3, "49.90"), _item("Standing desk", 2, "640.00")
        waiting = {
            "purchase-desks": ("Front office", [desk, lamp], "The two desks by the window wobble."),
            "purchase-chairs": ("Sales team", [_item("Office chair", 6, "189.00")], None),
            "purchase-training": ("Workshop", [_item("First-aid course", 4, "210.00")], "The next course is in May."),
        }
        for key, (requester, items, note) in waiting.items():
            self._wanted[self._purchase(key, requester, items, note)] = "INPUT_REQUIRED"
        self._wanted[self._purchase("purchase-lamps", "Front office", [lamp], None)] = "FINISHED"
        approved = self._purchase("purchase-shelves", "Sales team", [_item("Shelf", 8, "75.00")], None)
        self._answer(approved, "AskTeamLead", {"answer": "approve", "comment": ""}, by=self._lead)
        self._wanted[approved] = "FINISHED"
        paused = self._purchase("purchase-van", "Workshop", [_item("Delivery van", 1, "31500.00")], None)
        self._wait_for_question(paused, "AskDirector")
        pause_job(paused, actor=self._admin, reason="The offer is being checked.")
        self._wanted[paused] = "PAUSED"
        canceled = self._purchase("purchase-twice", "Sales team", [_item("Office chair", 6, "189.00")], "Asked twice.")
        self._wait_for_question(canceled, "AskTeamLead")
        cancel_job(canceled, actor=self._admin, reason="It was asked for twice.")
        self._wanted[canceled] = "CANCELED"

    def _purchase(self, key: str, requester: str, items: list[dict[str, Any]], note: str | None) -> int:
        from django_wfe.demo.workflows.purchase_approval import PurchaseApproval

        job = self._start(PurchaseApproval, key)
        request = {
            "requester": requester,
            "cost_centre": "office",
            "items": items,
            "needed_by": (date.today() + timedelta(days=30)).isoformat(),
            "note": note,
        }
        self._answer(job, "RequestPurchase", request)
        return job

    def _take_in_files(self) -> None:
        """INPUT_REQUIRED and FINISHED: a file with rows in doubt, and one without."""
        from django_wfe.demo.workflows.file_intake import FileIntake

        for key, sample, state in (
            ("file-offices", "offices.csv", "INPUT_REQUIRED"),
            ("file-countries", "iso3166.tab", "FINISHED"),
        ):
            job = self._start(FileIntake, key)
            self._answer(job, "AskForFile", {"sample": sample, "upload": None})
            self._wanted[job] = state

    def _start(self, workflow: Any, key: str, given: dict[str, Any] | None = None) -> int:
        from django_wfe import start

        options: dict[str, Any] = {} if given is None else {"input": given}
        return start(workflow, key=key, created_by=self._admin, actor=self._admin, **options)

    def _answer(self, job: int, step: str, given: Mapping[str, Any], *, by: Any = None) -> None:
        from django_wfe import provide_external_input

        self._wait_for_question(job, step)
        provide_external_input(job, dict(given), actor=by or self._clerk)

    def _wait_for_question(self, job: int, step: str) -> None:
        def asks(found: Any) -> bool:
            return bool(found.state == "INPUT_REQUIRED" and found.current_step.endswith(f".{step}"))

        self._wait(job, asks, f"asks for the input of {step}")

    def _wait_for_state(self, job: int, state: str) -> None:
        self._wait(job, lambda found: bool(found.state == state), f"is {state}")

    def _wait(self, job: int, is_there: Callable[[Any], bool], what: str) -> None:
        from django_wfe.models import Job

        deadline = time.monotonic() + TIMEOUT
        while not is_there(found := Job.objects.get(pk=job)):
            if time.monotonic() > deadline:
                where = f"{found.state} at {found.current_step}"
                raise TimeoutError(f"After {TIMEOUT:g} s it is not so that {found} {what}: it is {where}.")
            time.sleep(LOOK_INTERVAL)


def _item(description: str, quantity: int, unit_price: str) -> dict[str, Any]:
    return {"description": description, "quantity": quantity, "unit_price": unit_price}


if __name__ == "__main__":
    main()
