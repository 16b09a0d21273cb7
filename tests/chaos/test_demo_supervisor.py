"""Whoever is killed, nothing of what the demo started stays behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from django_wfe.demo.servers.postgres_and_valkey import PostgresServer, ValkeyServer
from django_wfe.demo.servers.processes import is_alive
from django_wfe.demo.servers.supervisor import RESTARTS
from tests.support.demo.demo_helpers import ROOT, count_up, describe_processes, find_processes, query
from tests.support.running.waiting import wait_until

pytestmark = pytest.mark.chaos

# A supervisor with one part, which has started a process of its own in another session; neither heeds any signal.
SCRIPT = """
import subprocess, sys
from pathlib import Path
from django_wfe.demo.servers import supervisor
from django_wfe.demo.servers.processes import is_alive, ChildProcess

PART = '''
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-c", grandchild], start_new_session=True)
print("last words", flush=True)
{how_it_goes_on}
'''

supervisor.STOP_TIMEOUT = supervisor.LEFTOVER_TIMEOUT = supervisor.GUARD_TIMEOUT = 0.5
role, log, how_it_goes_on = sys.argv[1:]
if role == "guard":
    sys.exit(supervisor.guard([sys.executable, __file__, "supervisor", log, how_it_goes_on], with_parent=True))
try:
    with supervisor.Supervisor(lambda line: print(line, flush=True)) as everything:
        command = [sys.executable, "-c", PART.format(how_it_goes_on=how_it_goes_on)]
        part = ChildProcess("the part", command, log_path=Path(log))
        part.start()
        everything.add(part)
        if how_it_goes_on.startswith("'kept alive'"):
            everything.keep_alive(part)
        print("started", flush=True)
        everything.wait_forever()
except supervisor.StopRequested:
    print("stopped", flush=True)
except supervisor.PartDied as error:
    print(error, flush=True)
    sys.exit(3)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def marker() -> str:
    """A text in the environment of everything that the test starts."""
    return uuid4().hex


@pytest.fixture
def start(tmp_path: Path, marker: str) -> Iterator[Start]:
    """Start a guard with its supervisor and parts."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    started: list[subprocess.Popen[str]] = []

    def start_guard(
        how_it_goes_on: str = "while True: signal.pause()", *, below: list[str] | None = None
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*(below or []), sys.executable, str(script), "guard", str(tmp_path / "part.log"), how_it_goes_on],
            env={**os.environ, "PYTHONPATH": str(ROOT), "MARKER": marker},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_guard
    for process in started:
        process.kill()
        process.communicate()
    for pid in find_processes(marker):
        os.kill(pid, signal.SIGKILL)


def wait_until_up(log: Path, marker: str, *, processes: int = 4) -> None:
    """Wait for the guard, the supervisor, the part, and what the part started."""
    wait_until(lambda: log.exists() and log.read_text().splitlines() == ["last words", "up"], message="nothing started")
    assert len(find_processes(marker)) == processes


def wait_until_gone(marker: str) -> None:
    wait_until(
        lambda: not find_processes(marker),
        timeout=15,
        message=lambda: f"still there:\n{describe_processes(find_processes(marker))}",
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_polite_signal_ends_everything_and_is_no_failure(
    start: Start, tmp_path: Path, marker: str, number: signal.Signals
) -> None:
    guard = start()
    wait_until_up(tmp_path / "part.log", marker)
    guard.send_signal(number)
    output, _ = guard.communicate(timeout=20)
    assert output.splitlines() == ["started", "stopped"]
    assert guard.returncode == 0
    assert find_processes(marker) == []


def test_kill_9_of_the_guard_leaves_no_process(start: Start, tmp_path: Path, marker: str) -> None:
    guard = start()
    wait_until_up(tmp_path / "part.log", marker)
    guard.kill()
    wait_until_gone(marker)


def test_kill_9_of_the_supervisor_leaves_no_process(start: Start, tmp_path: Path, marker: str) -> None:
    guard = start()
    wait_until_up(tmp_path / "part.log", marker)
    [supervisor] = map(int, Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split())
    os.kill(supervisor, signal.SIGKILL)
    assert guard.wait(timeout=20) == 128 + signal.SIGKILL
    assert find_processes(marker) == []


def test_kill_9_of_the_program_that_started_the_guard_leaves_no_process(
    start: Start, tmp_path: Path, marker: str
) -> None:
    # As "make" does: it waits for its child, and cannot hand on the signal that kills it.
    shell = start(below=["/bin/sh", "-c", '"$@"; exit $?', "sh"])
    wait_until_up(tmp_path / "part.log", marker, processes=5)
    shell.kill()
    wait_until_gone(marker)


def test_a_part_that_ends_ends_everything_and_its_last_words_are_told(
    start: Start, tmp_path: Path, marker: str
) -> None:
    guard = start("sys.exit(5)")
    output, _ = guard.communicate(timeout=20)
    assert guard.returncode == 3
    assert f"the part ended with exit code 5. The end of {tmp_path / 'part.log'}:" in output
    assert "    last words" in output
    assert find_processes(marker) == []


def test_a_part_that_is_killed_is_told_with_the_signal(start: Start, marker: str) -> None:
    guard = start("import os; os.kill(os.getpid(), signal.SIGKILL)")
    output, _ = guard.communicate(timeout=20)
    assert "the part was ended by SIGKILL." in output
    assert find_processes(marker) == []


def test_a_part_that_is_kept_alive_is_started_again_until_it_has_died_too_often(
    start: Start, tmp_path: Path, marker: str
) -> None:
    guard = start("'kept alive'; sys.exit(5)")
    output, _ = guard.communicate(timeout=60)
    assert guard.returncode == 3
    assert output.count("The part 'the part' ended with exit code 5. It is started again, as process ") == RESTARTS
    assert f"the part ended with exit code 5. The end of {tmp_path / 'part.log'}:" in output
    assert find_processes(marker) == []


def test_kill_9_of_their_starter_stops_the_servers_and_keeps_their_data(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from django_wfe.demo.servers.postgres_and_valkey import PostgresServer, ValkeyServer\n"
        "postgres, valkey = PostgresServer(Path(sys.argv[1]) / 'pg'), ValkeyServer(Path(sys.argv[1]) / 'vk')\n"
        "postgres.start(), valkey.start()\n"
        "servers = (postgres, valkey)\n"
        "print(*(s.process.pid for s in servers), *(s.socket_directory for s in servers), flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    postgres, valkey = PostgresServer(tmp_path / "pg"), ValkeyServer(tmp_path / "vk")
    try:
        assert starter.stdout is not None
        *pids, postgres_folder, valkey_folder = starter.stdout.readline().split()
        assert all(is_alive(int(pid)) for pid in pids)
        starter.kill()
        starter.communicate()
        with postgres, valkey:
            assert not any(is_alive(int(pid)) for pid in pids)
            assert not Path(postgres_folder).exists()
            assert not Path(valkey_folder).exists()
            assert query(postgres, "SELECT 1") == [(1,)]
            assert count_up(valkey, "starts") == 1
    finally:
        postgres.delete()
        valkey.delete()
