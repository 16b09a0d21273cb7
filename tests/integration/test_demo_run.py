"""One run of the demo, from its start on a taken port to Ctrl-C and the next start."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest

from django_wfe.demo.browser import Browser, UnexpectedPage
from tests.demo_runs import DemoRun, delete_demo_directory, make_demo_directory, wait_until_gone

pytestmark = pytest.mark.integration


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


def test_the_bare_address_leads_to_the_admin(demo: RunningDemo) -> None:
    assert "/admin/login/" in Browser(demo.address).get("/").address


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
        assert "Auditors" in browser.get("/admin/auth/group/").text
        assert (directory / "secret-key").read_text() == secret_key
    finally:
        again.end()
