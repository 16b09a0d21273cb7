"""What ``admin`` and ``clerk`` do in the console, page by page, in the browsers that they have."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.demo.browser import Browser, UnexpectedPage
from tests.support.demo.page_forms import Form
from tests.support.demo.pages import Page

STATE_TIMEOUT = 60.0  # seconds until a Job is where it should be
LOOK_INTERVAL = 0.2  # seconds between two looks at a page
WORKED = re.compile(r"worked\s+(\S+\s\S+)")
TOOK = re.compile(r"\bafter (\S+ \S+)")
PREFIX = "input-"

# What one field of a form is given: a text, a tick, a file (its name and content), or the items of a list.
Given = str | bool | tuple[str, bytes] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class StepReport:
    """One step run as the Job's page shows it."""

    step: str
    state: str
    worked: str


@dataclass(frozen=True)
class JobReport:
    """A finished Job as its page shows it; ``took`` is the time from its first step's begin to its end."""

    name: str
    steps: tuple[StepReport, ...]
    took: str


class Visit:
    """One visit of both people to the demo at ``base``: ``admin`` starts and repairs Jobs, ``clerk`` gives input."""

    def __init__(self, base: str) -> None:
        self.admin = Browser(base)
        self.clerk = Browser(base)

    def sign_in(self) -> None:
        """Both sign in, with the passwords that a new demo gives them."""
        self.admin.sign_in("admin", "admin")
        self.clerk.sign_in("clerk", "clerk")

    def start_job(self, workflow: str, given: Mapping[str, Given] | None = None) -> int:
        """``admin`` starts a Job of the Workflow with that name, with what its form asks for; returns its id.

        Raises ``UnexpectedPage`` where the console does not list the Workflow in time.
        """
        page = self._wait_for_workflow(workflow)
        page = self.admin.get(page.find_link(workflow))
        page = self.admin.get(page.find_link("/start/"))
        form = page.find_form("key") if given is None else fill(self.admin, page, given)
        page = self.admin.submit(form)
        if "/job/" not in page.address:
            raise UnexpectedPage(f"{workflow} was not started: {page.text[:1000]}")
        return int(page.facts["job-id"])

    def open_question(self, job: int, step: str) -> Page:
        """``clerk`` waits until the Job asks for the input of the step (its class's name), and opens the form."""
        deadline = time.monotonic() + STATE_TIMEOUT
        while True:
            page = self.wait_for_state(job, "INPUT_REQUIRED", by=self.clerk)
            page = self.clerk.get(page.find_link(f"/job/{job}/input/"))
            asked = page.facts.get("step", "nothing").rpartition(".")[2]
            if asked == step:
                return page
            if time.monotonic() > deadline:
                raise UnexpectedPage(f"Job {job} asks for the input of {asked}, not of {step}.")
            time.sleep(LOOK_INTERVAL)

    def answer(self, page: Page, given: Mapping[str, Given]) -> None:
        """``clerk`` fills in the form of an opened question and submits it.

        Raises ``UnexpectedPage``, with what the page says, where the input is refused.
        """
        result = self.clerk.submit(fill(self.clerk, page, given), "_submit")
        if result.address == page.address:
            raise UnexpectedPage(f"{page.address} refused {given}: {result.text}")

    def answer_wrongly(self, page: Page, given: Mapping[str, Given], complaint: str) -> Page:
        """``clerk`` submits what cannot be taken; returns the form as it comes back.

        Raises ``UnexpectedPage`` where it is taken or the page does not hold ``complaint``.
        """
        result = self.clerk.submit(fill(self.clerk, page, given), "_submit")
        if result.address != page.address:
            raise UnexpectedPage(f"{page.address} took {given}, which is wrong.")
        if complaint not in result.text:
            raise UnexpectedPage(f"{page.address} refused {given} without saying {complaint!r}: {result.text}")
        return result

    def retry(self, job: int, other_input: Mapping[str, Given] | None = None) -> None:
        """``admin`` lets a failed Job try its step again, with other input where that is given."""
        page = self.wait_for_state(job, "FAILED", by=self.admin)
        page = self.admin.get(page.find_link(f"/job/{job}/retry/"))
        form = page.find_form("reason") if other_input is None else fill(self.admin, page, other_input)
        form.fill("reason", "The carrier was called.")
        if other_input is not None:
            form.tick("change_input")
        result = self.admin.submit(form)
        if result.address == page.address:
            raise UnexpectedPage(f"Job {job} could not be retried: {result.text}")

    def wait_for_state(self, job: int, state: str, *, by: Browser) -> Page:
        """Look at the Job's page until it is in that state; returns the page.

        Raises ``UnexpectedPage`` where it ends in another state, or does not come to this one in time.
        """
        deadline = time.monotonic() + STATE_TIMEOUT
        while True:
            page = by.get(f"/admin/django_wfe/job/{job}/change/")
            found = page.facts.get("state", "nowhere")
            if found == state:
                return page
            if found in {"FAILED", "FINISHED", "CANCELED"} or time.monotonic() > deadline:
                raise UnexpectedPage(f"Job {job} is {found}, not {state}. Its page says: {page.text[:2000]}")
            time.sleep(LOOK_INTERVAL)

    def report(self, job: int) -> JobReport:
        """``admin`` waits until the Job has finished, and reads what it did."""
        page = self.wait_for_state(job, "FINISHED", by=self.admin)
        steps = []
        for row in page.rows:
            step = row.facts.get("step", "").rpartition(".")[2]
            if "attempt" in row.facts and step != "__start__":
                worked = next((found[1] for cell in row.cells if (found := WORKED.search(cell))), "")
                steps.append(StepReport(step=step, state=row.facts["state"], worked=worked))
        took = TOOK.search(page.text)
        name = re.match(r".+ #\d+", page.title)
        if name is None or took is None:
            raise UnexpectedPage(f"{page.address} tells no name or no time: {page.title!r}, {page.text[:1000]}")
        return JobReport(name=name[0], steps=tuple(steps), took=took[1])

    def _wait_for_workflow(self, workflow: str) -> Page:
        """The list of Workflows, once it holds this one: the watchdog reads the definitions after its start."""
        deadline = time.monotonic() + STATE_TIMEOUT
        while True:
            page = self.admin.get("/admin/django_wfe/workflow/")
            if any(workflow == link.text.strip() for link in page.links):
                return page
            if time.monotonic() > deadline:
                raise UnexpectedPage(f"The console does not list the workflow {workflow!r}: {page.text}")
            time.sleep(LOOK_INTERVAL)


def fill(browser: Browser, page: Page, given: Mapping[str, Given]) -> Form:
    """Fill in the generated form of a page. Items that a list lacks are added with its button, as without scripts."""
    for name, value in given.items():
        if isinstance(value, Sequence) and not isinstance(value, str | tuple):
            while len(list_item_keys(find_input_form(page), name)) < len(value):
                page = browser.submit(find_input_form(page), (f"{PREFIX}_structure", f"add:{name}"))
    form = find_input_form(page)
    for name, value in given.items():
        if isinstance(value, tuple):
            form.attach(f"{PREFIX}{name}", *value)
        elif isinstance(value, str | bool):
            _set(form, f"{PREFIX}{name}", value)
        else:
            for key, item in zip(list_item_keys(form, name), value, strict=True):
                for part, text in item.items():
                    _set(form, f"{PREFIX}{name}-{key}-{part}", text)
    return form


def find_input_form(page: Page) -> Form:
    """The form of the page that holds generated fields."""
    for form in page.forms:
        if any(control.name.startswith(PREFIX) for control in form.fields):
            return form
    raise LookupError(f"{page.address} has no form for input. It says: {page.text[:1000]}")


def list_item_keys(form: Form, name: str) -> list[str]:
    """The keys of the items that a list in the form has."""
    return [control.values[0] for control in form.fields if control.name == f"{PREFIX}{name}"]


def _set(form: Form, name: str, value: str | bool) -> None:
    if isinstance(value, bool):
        form.tick(name, ticked=value)
    else:
        form.fill(name, value)
