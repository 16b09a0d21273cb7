"""A sample workflow: a report that is long in the making, and a mail server that may be down for hours.

It shows what needs time: a log that grows, a worker that may be killed in the middle, and a retry that waits.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from django_wfe import steps, workflows

SECONDS_BETWEEN_LINES = 2.0
RETRY_AFTER = 15 * 60
"""Seconds until the mail server is tried again."""


class MailServer(StrEnum):
    """How the mail server behaves."""

    WORKS = "works"
    DOWN = "is down until tomorrow"


class CollectFigures(steps.Step):
    """Collects the figures of the month, one after another.

    What it has collected is kept when it is done. Where its worker is killed before, it begins anew on another one.
    """

    timeout = 3700

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        if self.attempt > 1:
            self.log.warning("Attempt %s: the one before did not come to its end", self.attempt)
        ends = time.monotonic() + 60 * _input["minutes"]
        figures = 0
        while (left := ends - time.monotonic()) > 0:
            figures += 1
            self.log.info("Figure %s is collected, about %.0f s are left", figures, left)
            time.sleep(min(left, SECONDS_BETWEEN_LINES))
        return {**_input, "figures": figures}


class MailReport(steps.Step):
    """Sends the report. A mail server that does not answer is tried again every quarter of an hour."""

    retry = steps.Retry(max_attempts=100, backoff=RETRY_AFTER, max_backoff=RETRY_AFTER, jitter=0, on=ConnectionError)

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        if MailServer(_input["mail_server"]) is MailServer.DOWN:
            raise ConnectionError("The mail server does not answer.")
        return {"sent": True, "figures": _input["figures"]}


class MonthlyReport(workflows.Workflow):
    """Collects the figures of a month, which takes its time, and mails them."""

    class InputSchema(BaseModel):
        minutes: float = Field(default=2, ge=0, le=60, description="How long the figures take to collect.")
        mail_server: MailServer = Field(default=MailServer.WORKS, description="How it behaves in this run.")

    DIGRAPH = {
        steps.__start__: [CollectFigures],
        CollectFigures: [MailReport],
    }
