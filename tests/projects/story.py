"""What is done to each project: set it up as the README says, run jobs by a worker, and open all that there is."""

import base64
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.projects.inside import NAME, PASSWORD
from tests.projects.running import Project
from tests.support.demo.browser import Browser
from tests.support.demo.page_forms import Form
from tests.support.demo.pages import Page
from tests.support.demo.visits import find_input_form
from tests.support.running.waiting import wait_until

STATE_TIMEOUT = 30.0  # seconds
ANSWER = {"amount": "120", "day": "2026-03-29", "moment": "2026-07-01T12:30", "comment": "Broken on arrival"}
TROUBLE = re.compile(r"Traceback|Internal Server Error|\bERROR\b|\bCRITICAL\b|Warning:")


def go_through(project: Project) -> None:
    """Take a project from its empty database to finished jobs, and open every page and make every call."""
    set_up(project)
    told = project.ask("people")
    with project.watching() as watchdog, project.working() as workers, project.serving() as (server, address):
        jobs = []
        if told["admin"]:
            visitor = Visitor(urljoin(address, told["index"]), told)
            jobs.append(visitor.run_job())
        if told["rest"]:
            jobs.append(Robot(address, told).run_job())
        for job in project.ask("jobs", *jobs):
            check_result(job)
        world = project.ask("world")
        if told["rest"]:
            Robot(address, told).call_all(world["calls"])
        if told["admin"]:
            visitor.open_all(world["pages"])
            visitor.post_all(world["posts"])  # last: it cancels all that is open
        for child in (server, workers, watchdog):
            assert not TROUBLE.search(child.read_log()), child.read_log()


def set_up(project: Project) -> None:
    """Do what the README says before anything runs."""
    for alias in project.options.migrated:
        project.manage("migrate", "--verbosity", "0", "--database", alias)
    assert "no issues" in project.manage("check")
    project.manage("wfe_check")
    report = project.manage("wfe_watchdog", "--once")
    assert not TROUBLE.search(report), report


def check_result(job: dict[str, Any]) -> None:
    """Look at the job by the database: what ran, who started it, and what the answer became."""
    assert job["state"] == "FINISHED", job
    assert [entry["step"].rpartition(".")[2] for entry in job["data"]] == [
        "__start__", "FindOrder", "NoteOrder", "ChooseWay", "AskAmount", "PayBack",
    ]  # fmt: skip
    result = job["data"][-1]["result"]
    # With an offset where the project has time zones, without one where it has none.
    assert result.pop("moment").startswith("2026-07-01T12:30:00"), job
    assert result == {"paid_back": 120, "day": "2026-03-29", "people": 2}
    assert job["created_by"] != "None"


class Visitor:
    """A person at the console, in a browser."""

    def __init__(self, base: str, told: dict[str, Any]) -> None:
        self.browser = Browser(base)
        self.told = told
        form = self.browser.get(f"{told['login']}?next={told['index']}").find_form("username", "password")
        form.fill("username", NAME)
        form.fill("password", PASSWORD)
        page = self.browser.submit(form)
        assert urlsplit(page.address).path == told["index"], page.text
        self.token = page.find_form("csrfmiddlewaretoken").get("csrfmiddlewaretoken").values[0]

    def run_job(self) -> int:
        """Start a job, answer it wrongly and then well, and wait for its end; give its id."""
        page = self.browser.submit(self.browser.get(self.told["start"]).find_form("key"))
        assert "job-id" in page.facts, page.text
        job = int(page.facts["job-id"])
        page = self.browser.get(self.wait_for(job, "INPUT_REQUIRED").find_link(f"/job/{job}/input/"))
        refused = self.answer(page, {**ANSWER, "amount": "0"})
        assert refused.address == page.address, refused.text
        drafted = self.answer(refused, {**ANSWER, "amount": "7"}, button="_draft")
        answered = self.answer(self.browser.get(page.address), ANSWER)
        assert answered.address != page.address, (drafted.text, answered.text)
        self.wait_for(job, "FINISHED")
        return job

    def answer(self, page: Page, given: dict[str, str], button: str = "_submit") -> Page:
        """Fill in the form of an open question, and press a button."""
        form = find_input_form(page)
        for name, value in given.items():
            form.fill(f"input-{name}", value)
        return self.browser.submit(form, button)

    def wait_for(self, job: int, state: str) -> Page:
        """Look at the job's page until it is in this state."""
        pages = []

        def is_there() -> bool:
            pages[:] = [self.browser.get(self.told["job"].replace("4711", str(job)))]
            return pages[0].facts.get("state") == state

        wait_until(is_there, timeout=STATE_TIMEOUT, interval=0.1, message=lambda: pages[0].text)
        return pages[0]

    def open_all(self, addresses: list[tuple[str, bool]]) -> None:
        """Open every page, each of which must be there, and fetch what is not a page."""
        for path, is_page in addresses:
            if is_page:
                self.browser.get(path)
            else:
                with self.browser._opener.open(urljoin(self.browser.base, path)) as response:
                    assert response.status == 200, path

    def post_all(self, posts: list[tuple[str, dict[str, str], bool]]) -> None:
        """Do all that can be done with a form; ``leads_away`` tells where success leads to another page."""
        for path, data, leads_away in posts:
            form = Form(urljoin(self.browser.base, path), "post", "application/x-www-form-urlencoded")
            for name, value in {**data, "csrfmiddlewaretoken": self.token}.items():
                form.add_hidden(name, value)
            page = self.browser.submit(form)
            assert not leads_away or urlsplit(page.address).path != path, f"{path}: {page.text}"


@dataclass
class Robot:
    """A program that uses the REST API."""

    base: str
    told: dict[str, Any]

    def run_job(self) -> int:
        """Start a job, answer what it asks, and wait for its end; give its id."""
        jobs = self.told["jobs"]
        job = self.call("POST", jobs, {"workflow_id": self.told["workflow"]}, status=201)["id"]
        self.wait_for(job, "INPUT_REQUIRED")
        refused = self.call("POST", f"{jobs}/{job}/input", {**ANSWER, "amount": 0}, status=422)
        assert "amount" in json.dumps(refused)
        self.call("POST", f"{jobs}/{job}/input", ANSWER)
        self.wait_for(job, "FINISHED")
        return int(job)

    def wait_for(self, job: int, state: str) -> None:
        """Ask for the job until it is in this state."""
        found: list[Any] = []

        def is_there() -> bool:
            found[:] = [self.call("GET", f"{self.told['jobs']}/{job}")]
            return bool(found[0]["state"] == state)

        wait_until(is_there, timeout=STATE_TIMEOUT, interval=0.1, message=lambda: str(found))

    def call_all(self, calls: list[tuple[str, str, str]]) -> None:
        """Make every call, each of which must do what it is for."""
        for method, path, body in calls:
            self.send(method, path, body.encode(), {200, 201})

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Make a call and give its answer."""
        return json.loads(self.send(method, path, json.dumps(body).encode(), {status}))

    def send(self, method: str, path: str, body: bytes, expected: set[int]) -> bytes:
        """Send a request, which must be answered with one of these statuses."""
        credentials = base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        data = body if method != "GET" else None
        request = urllib.request.Request(urljoin(self.base, path), data, headers, method=method)
        try:
            response = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            answer: bytes = response.read()
            assert response.status in expected, f"{method} {path}: {response.status} {answer[:2000]!r}"
        return answer
