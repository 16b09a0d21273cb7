"""A live page and the test's own clock: what it asks, and when."""

from playwright.sync_api import Page, Request

from django_wfe.engine.lifecycle import run_workflow
from tests.support.doors.console import record
from tests.workflows import Asking

A_MINUTE = 60_000


def start_waiting() -> int:
    record(Asking)
    return run_workflow(Asking)


class Asked:
    """The requests that a page's poller has sent."""

    def __init__(self, page: Page) -> None:
        self.count = 0
        page.on("request", self._count)

    def _count(self, request: Request) -> None:
        self.count += request.headers.get("hx-trigger") == "wfe-live"


def stop_clock(page: Page) -> None:
    """Load the page anew with a clock that goes on only in ``look``."""
    page.clock.install()
    # An installed clock goes on by itself until it is paused, at a time that is still to come.
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 60)
    page.reload()


def look(page: Page, milliseconds: int = A_MINUTE) -> None:
    """Let so much time pass that the page looks for news, once, and let it settle."""
    with page.expect_response(lambda response: response.request.headers.get("hx-trigger") == "wfe-live") as answer:
        page.clock.fast_forward(milliseconds)
    answer.value.finished()
    page.clock.run_for(100)


def set_hidden(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            const state = hidden ? "hidden" : "visible";
            Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )
