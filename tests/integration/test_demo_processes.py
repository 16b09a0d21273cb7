"""Children that cannot outlive their parent, and the means to find and end them."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from django_wfe.demo.servers.launch import CANNOT_LAUNCH
from django_wfe.demo.servers.processes import ChildProcess, SignalInbox, is_alive, kill_session, list_descendants
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.versionless]


def make_child(code: str, log: Path, **options: object) -> ChildProcess:
    return ChildProcess("child", [sys.executable, "-I", "-S", "-c", code], log_path=log, **options)  # type: ignore[arg-type]


def test_a_child_says_what_it_has_to_say_in_its_log(tmp_path: Path) -> None:
    child = make_child("import sys; print('out', flush=True); sys.exit('err')", tmp_path / "logs" / "child.log")
    child.start()
    assert child.wait(10)
    assert child.returncode == 1
    assert child.read_last_lines() == ["out", "err"]


def test_the_log_of_the_start_before_is_kept_aside(tmp_path: Path) -> None:
    for text in ("first", "second"):
        child = make_child(f"print({text!r})", tmp_path / "child.log")
        child.start()
        assert child.wait(10)
    assert child.read_last_lines() == ["second"]
    assert (tmp_path / "child.log.1").read_text() == "first\n"


def test_only_the_last_lines_are_read(tmp_path: Path) -> None:
    child = make_child("for n in range(100_000): print(n)", tmp_path / "child.log")
    child.start()
    assert child.wait(10)
    assert child.read_last_lines(3) == ["99997", "99998", "99999"]


def test_a_child_runs_in_a_session_of_its_own_so_that_ctrl_c_reaches_the_parent_only(tmp_path: Path) -> None:
    child = make_child("import os; print(os.getsid(0) == os.getpid())", tmp_path / "child.log")
    child.start()
    assert child.wait(10)
    assert child.read_last_lines() == ["True"]


def test_stop_asks_first(tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('up', flush=True)\n"
        "signal.pause()\n"
    )
    child = make_child(code, tmp_path / "child.log")
    child.start()
    wait_until(child.read_last_lines)
    child.stop(timeout=10)
    assert child.returncode == 7


def test_stop_kills_a_child_that_does_not_listen(tmp_path: Path) -> None:
    code = (
        "import signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True)\n"
        "while True: signal.pause()\n"
    )
    child = make_child(code, tmp_path / "child.log")
    child.start()
    wait_until(child.read_last_lines)
    child.stop(timeout=0.1)
    assert child.returncode == -signal.SIGKILL


def test_stopping_what_was_never_started_or_has_ended_is_harmless(tmp_path: Path) -> None:
    child = make_child("pass", tmp_path / "child.log")
    child.stop(1)
    child.start()
    assert child.wait(10)
    child.stop(1)
    assert child.returncode == 0


def test_a_child_cannot_be_started_from_another_thread(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            make_child("pass", tmp_path / "child.log").start()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


def test_a_program_that_is_not_there_is_named_in_the_log(tmp_path: Path) -> None:
    child = ChildProcess("child", [tmp_path / "missing"], log_path=tmp_path / "child.log")
    child.start()
    assert child.wait(10)
    assert child.returncode == CANNOT_LAUNCH
    assert str(tmp_path / "missing") in child.read_last_lines()[0]


def test_what_children_start_is_found(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, signal\n"
        "wait = [sys.executable, '-c', 'import signal; signal.pause()']\n"
        "grandchild = subprocess.Popen(wait, start_new_session=True)\n"
        "print(grandchild.pid, flush=True)\n"
        "signal.pause()\n"
    )
    child = make_child(code, tmp_path / "child.log")
    child.start()
    grandchild = None
    try:
        grandchild = int(wait_until(child.read_last_lines)[0])
        assert {child.pid, grandchild} <= set(list_descendants(os.getpid()))
    finally:
        child.stop(10)
        if grandchild is not None:
            os.kill(grandchild, signal.SIGKILL)
    assert child.pid not in list_descendants(os.getpid())


def test_signals_wait_in_the_inbox_instead_of_interrupting() -> None:
    with SignalInbox([signal.SIGUSR1]) as inbox:
        assert inbox.wait(0) == []
        os.kill(os.getpid(), signal.SIGUSR1)
        assert inbox.wait(10) == [signal.SIGUSR1]
        assert inbox.wait(0) == []


def test_the_end_of_a_child_wakes_the_inbox(tmp_path: Path) -> None:
    with SignalInbox([signal.SIGUSR1]) as inbox:
        child = make_child("pass", tmp_path / "child.log")
        started = time.monotonic()
        child.start()
        assert signal.SIGCHLD in inbox.wait(30)
        assert time.monotonic() - started < 25
        assert child.wait(10)


def test_the_handlers_from_before_come_back_when_the_inbox_closes() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with SignalInbox([signal.SIGUSR1]):
        assert signal.getsignal(signal.SIGUSR1) is not before
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_child_runs_in_the_folder_that_is_given(tmp_path: Path) -> None:
    child = make_child("import os; print(os.getcwd())", tmp_path / "child.log", folder=tmp_path)
    child.start()
    assert child.wait(10)
    assert child.read_last_lines() == [str(tmp_path)]


def test_what_a_killed_process_has_started_is_ended_with_its_session_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "code = 'import time; time.sleep(600)'\n"
        "for alone in (False, True):\n"
        "    child = subprocess.Popen([sys.executable, '-I', '-S', '-c', code], start_new_session=alone)\n"
        "    print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    child = make_child(code, tmp_path / "child.log")
    child.start()
    wait_until(lambda: len(child.read_last_lines()) == 2, message="it started nothing")
    same_session, other_session = map(int, child.read_last_lines())
    try:
        child.kill()
        assert child.wait(10)
        assert is_alive(same_session)
        kill_session(child.pid)
        assert not is_alive(same_session)
        assert is_alive(other_session)
    finally:
        os.kill(other_session, signal.SIGKILL)
