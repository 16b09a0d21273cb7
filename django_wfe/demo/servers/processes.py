"""Child processes that cannot outlive their parent, and the means to find and end whatever a process has started."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Self

from django_wfe.demo.servers import launch
from django_wfe.demo.servers.accounts import Account

PR_SET_CHILD_SUBREAPER = 36
POLL_INTERVAL = 0.02  # seconds
SESSION_TIMEOUT = 5.0  # seconds for killed processes to be gone


class ChildProcess:
    """A program started as a child of this process, in a session of its own, and told to stop when this process dies.

    ``log_path`` receives its output (the log of the start before is kept as ``<name>.1``); without one the output goes
    where this process's own goes. ``stop_signal`` asks it for an orderly end, and the kernel sends it when this process
    vanishes. ``account`` is who it runs as, and ``folder`` is where, by default as we do.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log_path: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
        pass_fds: Sequence[int] = (),
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [str(argument) for argument in command]
        self.log_path = log_path
        self.environment = None if environment is None else dict(environment)
        self.stop_signal = stop_signal
        self.account = account
        self.pass_fds = tuple(pass_fds)
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id. Raises ``RuntimeError`` before it was started."""
        return self._started.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal's number where a signal ended it, ``None`` while it runs."""
        return self._started.poll()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program; returns at once. For the main thread only: the parent-death signal follows the thread.

        Raises ``RuntimeError`` in another thread, ``OSError`` where Python or the log file cannot be opened.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(f"Start {self.name!r} from the main thread: it would be stopped when this thread ends.")
        user, group = ("-", "-") if self.account is None else (self.account.user_id, self.account.group_id)
        launcher = [sys.executable, "-I", "-S", launch.__file__, os.getpid(), int(self.stop_signal), user, group]
        output = self._open_log()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours, and no shell sees it
                [*map(str, launcher), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
                pass_fds=self.pass_fds,
            )
        finally:
            if output is not None:
                output.close()

    def ask_to_stop(self) -> None:
        """Send the stop signal; harmless when the process has ended already."""
        if self.is_running:
            self._started.send_signal(self.stop_signal)

    def kill(self) -> None:
        """Send SIGKILL; harmless when the process has ended already."""
        if self.is_running:
            self._started.kill()

    def wait(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for the end; tell whether it came."""
        try:
            self._started.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout: float) -> None:
        """Ask for an orderly end, and kill the process when it has not come after ``timeout`` seconds."""
        if self._process is None:
            return
        self.ask_to_stop()
        if not self.wait(timeout):
            self.kill()
            self._process.wait()

    def read_last_lines(self, count: int = 15) -> list[str]:
        """The last ``count`` lines of this start's log; none where it has no log."""
        if self.log_path is None or not self.log_path.exists():
            return []
        with self.log_path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 64 * 1024))
            return log.read().decode("utf-8", "replace").splitlines()[-count:]

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name!r} was not started.")
        return self._process

    def _open_log(self) -> IO[bytes] | None:
        if self.log_path is None:
            return None
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_name(f"{self.log_path.name}.1"))
        return self.log_path.open("wb")


class SignalInbox:
    """Signals as something to wait for, instead of something that interrupts: a context manager for the main thread.

    While it is open the given signals do nothing but wake ``wait``. Ends of children (SIGCHLD) always wake it.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._signals = {*signals, signal.SIGCHLD}
        self._previous: dict[signal.Signals, object] = {}
        self._previous_fd = -1

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0.0)
        self._writer.settimeout(0.0)
        self._previous_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in self._signals:
            self._previous[number] = signal.signal(number, self._ignore)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._previous_fd)
        self._reader.close()
        self._writer.close()

    def wait(self, timeout: float) -> list[signal.Signals]:
        """Wait at most ``timeout`` seconds for signals; return those that came, in order, possibly none."""
        select.select([self._reader], [], [], max(0.0, timeout))
        try:
            received = self._reader.recv(4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in received]

    @staticmethod
    def _ignore(_number: int, _frame: FrameType | None) -> None:
        # A handler has to be there for the wakeup; SIG_IGN would be inherited by the children.
        return


def become_subreaper() -> None:
    """Let orphans among this process's descendants become its children, so that it can find, end and reap them.

    Raises ``OSError`` where the kernel refuses.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def list_descendants(pid: int) -> list[int]:
    """The ids of the children of ``pid``, their children and so on, zombies left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        parent = _read_parent(entry.name) if entry.name.isdigit() else None
        if parent is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    queue = [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def is_alive(pid: int) -> bool:
    """Return whether there is a process with this id that has not ended; a zombie has."""
    return _read_parent(str(pid)) is not None


def end_descendants(*, grace: float) -> list[int]:
    """Wait up to ``grace`` seconds until no descendant of this process is left, then kill those that are.

    Returns the ids of the killed ones. Needs ``become_subreaper`` to see orphans too.
    """
    deadline = time.monotonic() + grace
    killed: list[int] = []
    while descendants := list_descendants(os.getpid()):
        if time.monotonic() >= deadline:
            for descendant in descendants:
                send_signal(descendant, signal.SIGKILL)
            killed += [descendant for descendant in descendants if descendant not in killed]
        time.sleep(POLL_INTERVAL)
        reap_orphans()
    return killed


def kill_session(leader: int) -> None:
    """Kill what is left of the session of a process that has ended, and reap those that have become our children."""
    deadline = time.monotonic() + SESSION_TIMEOUT
    while members := [pid for pid in _list_processes() if _read_session(pid) == leader]:
        for pid in members:
            send_signal(pid, signal.SIGKILL)
            _reap(pid)
        if time.monotonic() > deadline:
            return
        time.sleep(POLL_INTERVAL)


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def reap_orphans() -> None:
    """Collect every ended child, so that no zombie stays. For the end of a process, when exit codes matter no more."""
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def _list_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _read_session(pid: int) -> int | None:
    """The session that a process belongs to, also as a zombie; ``None`` if there is no such process."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _read_parent(pid: str) -> int | None:
    """The parent of a process; ``None`` where it has ended."""
    try:
        # "pid (name) state ppid ...": the name may hold spaces and parentheses.
        state, parent = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state in "ZX" else int(parent)
