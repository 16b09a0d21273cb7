"""Running the demo as a person does, from another process."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from django_wfe.demo.servers.processes import is_alive, list_descendants
from tests.support.demo.demo_helpers import ROOT, describe_processes
from tests.support.running.waiting import wait_until

START_TIMEOUT = 90.0  # seconds, on a busy machine


class DemoRun:
    """One ``python -m django_wfe.demo`` and what it says. Ended, with all that it started, by ``end``."""

    def __init__(self, directory: Path, *arguments: str, command: list[str] | None = None) -> None:
        self.directory = directory
        command = command or [sys.executable, "-m", "django_wfe.demo", "--directory", str(directory), *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=make_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """All that it has said until now."""
        return "".join(self._lines)

    def wait_until_up(self) -> str:
        """Wait until it is ready and return its address."""
        address = wait_until(
            lambda: re.search(r"^Open  (http://\S+)$", self.output, re.MULTILINE) or self.process.poll() is not None,
            timeout=START_TIMEOUT,
            message=lambda: f"the demo did not come up:\n{self.output}",
        )
        assert isinstance(address, re.Match), f"the demo ended with {self.process.returncode}:\n{self.output}"
        return address[1]

    def wait_for_end(self) -> int:
        """Wait until the process that was started has ended; return its exit code."""
        code = self.process.wait(timeout=START_TIMEOUT)
        self._reader.join(timeout=START_TIMEOUT)
        return code

    def list_processes(self) -> list[int]:
        """The processes that belong to it now."""
        return [self.process.pid, *list_descendants(self.process.pid)]

    def end(self) -> None:
        """End it, however it is."""
        pids = self.list_processes()
        self.process.kill()
        self.process.wait()
        wait_until_gone(pids)
        self._reader.join(timeout=START_TIMEOUT)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)


def make_environment() -> dict[str, str]:
    """The environment of a person at a shell, even where "make" runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))} | {
        "PYTHONPATH": str(ROOT)
    }


def wait_until_gone(pids: list[int]) -> None:
    """Wait until none of the processes is left."""
    wait_until(
        lambda: not any(map(is_alive, pids)),
        timeout=30,
        message=lambda: f"still there:\n{describe_processes([pid for pid in pids if is_alive(pid)])}",
    )


def make_demo_directory() -> Path:
    """A new folder for a demo that ``delete_demo_directory`` deletes; every account may pass through it."""
    directory = Path(tempfile.mkdtemp(prefix="wfe-test-demo-"))
    directory.chmod(0o755)
    return directory / ".demo"


def delete_demo_directory(directory: Path) -> None:
    """Delete the folder with all data; the demo must have ended."""
    subprocess.run(
        [sys.executable, "-m", "django_wfe.demo", "clean", "--directory", str(directory)],
        cwd=ROOT,
        env=make_environment(),
        check=True,
        timeout=60,
    )
    directory.parent.rmdir()
