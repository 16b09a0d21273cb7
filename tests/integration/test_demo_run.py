"""One run of the demo, from its start on a taken port to Ctrl-C and the next start."""

import json
import os
import re
import signal
import socket
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from django_wfe.states import JobState
from tests.support.demo.browser import Browser, UnexpectedPage
from tests.support.demo.demo_runs import DemoRun, delete_demo_directory, make_demo_directory, wait_until_gone

pytestmark = [pytest.mark.integration, pytest.mark.versionless]


@dataclass(frozen=True)
class RunningDemo:
    """The run, its address, and the port that was taken."""

    run: DemoRun
    address: str
    taken_port: int


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """The folder of this module's demo."""
    directory = make_demo_directory()
    yield directory
    delete_demo_directory(directory)


@pytest.fixture(scope="module")
def demo(directory: Path) -> Iterator[RunningDemo]:
    """A demo that was asked for a port which another program has."""
    with socket.create_server(("127.0.0.1", 0)) as other_program:
        port = other_program.getsockname()[1]
        run = DemoRun(directory, "--port", str(port))
        try:
            yield RunningDemo(run, run.wait_until_up(), port)
        finally:
            run.end()


def test_the_next_free_port_is_taken_and_said(demo: RunningDemo) -> None:
    port = int(demo.address.rpartition(":")[2].strip("/"))
    assert demo.taken_port < port < demo.taken_port + 100
    assert f"port {demo.taken_port} is taken, so this is port {port}" in demo.run.output


def test_the_logins_and_the_logs_are_told(demo: RunningDemo, directory: Path) -> None:
    assert re.search(r"as  admin, password admin", demo.run.output)
    assert re.search(r"or  lead, password lead", demo.run.output)
    assert re.search(r"or  clerk, password clerk", demo.run.output)
    assert f"Logs are in {directory / 'logs'}" in demo.run.output
    names = {path.name for path in (directory / "logs").iterdir()}
    assert {"postgresql.log", "broker.log", "web.log", "workers.log", "watchdog.log"} <= names


def test_admin_and_clerk_sign_in_and_see_the_console(demo: RunningDemo) -> None:
    for name in ("admin", "clerk"):
        page = Browser(demo.address).sign_in(name, name)
        assert "Site administration" in page.title


def test_a_wrong_password_is_refused(demo: RunningDemo) -> None:
    with pytest.raises(UnexpectedPage, match="clerk could not sign in"):
        Browser(demo.address).sign_in("clerk", "wrong")


def test_clerk_sees_jobs_but_no_people(demo: RunningDemo) -> None:
    browser = Browser(demo.address)
    browser.sign_in("clerk", "clerk")
    browser.get("/admin/django_wfe/job/")
    browser.get("/admin/auth/user/", status=HTTPStatus.FORBIDDEN)


def test_the_demo_opens_with_jobs_in_every_state(demo: RunningDemo) -> None:
    jobs = list_jobs(demo.address)
    states = Counter(job["state"] for job in jobs)
    assert set(states) == {state.value for state in JobState}
    assert states["FAILED"] == 7
    browser = Browser(demo.address)
    browser.sign_in("lead", "lead")
    incidents = browser.get(browser.get("/").find_link("incident")).text
    assert "The carrier does not answer." in incidents
    assert "without a postcode" in incidents


def test_the_start_page_tells_everybody_what_to_try_and_names_the_worker_that_runs_a_step(demo: RunningDemo) -> None:
    page = Browser(demo.address).get("/")
    for title in ("Answer as team lead", "Repair what failed", "Kill a worker", "See the REST API"):
        assert title in page.text
        assert title in demo.run.output or title == "Answer as team lead"
    command = re.search(r"kill -9 (\d+)", page.text)
    assert command is not None, page.text
    assert int(command[1]) in demo.run.list_processes()
    browser = Browser(demo.address)
    browser.sign_in("lead", "lead")
    for address in {link.address for link in page.links if "/admin/" in link.address or "/wfe/" in link.address}:
        browser.get(address)


def test_the_approver_reads_the_purchase_as_labels_and_values(demo: RunningDemo) -> None:
    waiting = [job for job in list_jobs(demo.address) if job["state"] == "INPUT_REQUIRED"]
    job = next(job for job in waiting if job["current_step"].endswith("AskTeamLead"))
    browser = Browser(demo.address)
    browser.sign_in("lead", "lead")
    text = browser.get(f"/admin/django_wfe/job/{job['id']}/input/").text
    for label in ("Requester", "Cost centre", "Description", "Unit price", "Needed by", "Total"):
        assert label in text
    assert text.index("Requester") < text.index("Cost centre") < text.index("Unit price") < text.index("Total")


def list_jobs(address: str) -> list[dict[str, Any]]:
    """All Jobs, as the REST API tells a program that signs in as the team lead."""
    credentials = b64encode(b"lead:lead").decode()
    request = Request(f"{address}wfe/jobs/?page_size=100", headers={"Authorization": f"Basic {credentials}"})
    with urlopen(request, timeout=30) as response:
        jobs: list[dict[str, Any]] = json.load(response)["results"]
    return jobs


def test_a_second_demo_on_the_same_folder_is_refused_and_told_where_the_first_is(
    demo: RunningDemo, directory: Path
) -> None:
    second = DemoRun(directory, "--port", "0")
    try:
        assert second.wait_for_end() == 1
        assert f"already runs on {directory} (process {demo.run.process.pid}, address {demo.address})" in second.output
    finally:
        second.end()
    Browser(demo.address).sign_in("clerk", "clerk")


def test_the_secret_key_is_for_the_owner_only(demo: RunningDemo, directory: Path) -> None:
    assert (directory / "secret-key").stat().st_mode & 0o777 == 0o600
    assert len((directory / "secret-key").read_text()) > 50


def test_ctrl_c_ends_everything_and_a_second_start_keeps_the_data(demo: RunningDemo, directory: Path) -> None:
    browser = Browser(demo.address)
    browser.sign_in("admin", "admin")
    form = browser.get("/admin/auth/group/add/").find_form("name", "_save")
    form.fill("name", "Auditors")
    browser.submit(form, "_save")
    secret_key = (directory / "secret-key").read_text()
    jobs = {job["id"] for job in list_jobs(demo.address)}
    pids = demo.run.list_processes()
    assert len(pids) > 8

    os.kill(demo.run.process.pid, signal.SIGINT)
    assert demo.run.wait_for_end() == 0
    assert "The demo is stopped." in demo.run.output
    wait_until_gone(pids)

    again = DemoRun(directory, "--port", "0")
    try:
        browser = Browser(again.wait_until_up())
        browser.sign_in("admin", "admin")
        assert {job["id"] for job in list_jobs(again.wait_until_up())} == jobs
        assert "Auditors" in browser.get("/admin/auth/group/").text
        assert (directory / "secret-key").read_text() == secret_key
    finally:
        again.end()
