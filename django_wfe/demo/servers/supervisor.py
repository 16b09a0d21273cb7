"""Keeping a set of child processes running together: all of them, or none.

A part that does its work from the database, such as a worker, may die alone: it is started again, and that is said.
A part that dies again and again ends everything, as does one that the others need, such as the database.

Two processes do it, so that not even ``kill -9`` leaves anything behind. The *guard* is the one that a person starts
and stops. It starts the *supervisor*, which starts the parts. When the guard vanishes, the kernel tells the supervisor,
which ends its parts in order. When the supervisor vanishes, the guard inherits its descendants and ends them.
"""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from django_wfe.demo.servers.launch import die_with_parent
from django_wfe.demo.servers.processes import ChildProcess, SignalInbox, become_subreaper, end_descendants, kill_session

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_TIMEOUT = 10.0  # seconds for the parts to come to an orderly end
LEFTOVER_TIMEOUT = 3.0  # seconds for what the parts themselves started
RESTARTS = 5
RESTART_WINDOW = 60.0  # seconds: a part that has died RESTARTS times within these is not started once more
GUARD_TIMEOUT = 15.0  # seconds for everything, where the supervisor is gone


class StopRequested(Exception):
    """Somebody asked for the end, by Ctrl-C or a signal."""


class PartDied(Exception):
    """A part ended on its own. The message says which, how, and what it said last."""


def guard(command: Sequence[str], *, with_parent: bool = False) -> int:
    """Run the supervisor ``command`` to its end and return its exit code, leaving no descendant behind.

    ``with_parent`` stops everything when the process that started this one ends, too.
    """
    become_subreaper()
    supervisor = ChildProcess("supervisor", command)
    with SignalInbox(STOP_SIGNALS) as inbox:
        if with_parent:
            die_with_parent(signal.SIGTERM)
        supervisor.start()
        while supervisor.is_running:
            if any(number in STOP_SIGNALS for number in inbox.wait(timeout=60.0)):
                supervisor.ask_to_stop()
        end_descendants(grace=GUARD_TIMEOUT)
    code = supervisor.returncode or 0
    return 128 - code if code < 0 else code


class Supervisor:
    """Watches parts while it is open (a context manager for the main thread), and ends them all when it closes.

    Parts are ended in the reverse order of their groups: those added last with one ``add`` first, and together.
    ``say`` receives a line for people when a part is started again.
    """

    def __init__(self, say: Callable[[str], None] = lambda _line: None) -> None:
        self._say = say
        self._groups: list[list[ChildProcess]] = []
        self._deaths: dict[ChildProcess, deque[float]] = {}
        self._inbox = SignalInbox(STOP_SIGNALS)

    def __enter__(self) -> Self:
        become_subreaper()
        self._inbox.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop_parts()
        end_descendants(grace=LEFTOVER_TIMEOUT)
        self._inbox.__exit__(kind, exception, traceback)

    def add(self, *parts: ChildProcess) -> None:
        """Watch started parts, and end them together, after those that are added later."""
        self._groups.append(list(parts))

    def keep_alive(self, *parts: ChildProcess) -> None:
        """Start these added parts again when they die, from now on."""
        for part in parts:
            self._deaths[part] = deque(maxlen=RESTARTS)

    def run(self, child: ChildProcess, timeout: float | None = None) -> int:
        """Start a child that is meant to end, wait for that and return its exit code.

        Raises what ``wait_until`` raises; the child does not outlive this call.
        """
        child.start()
        try:
            self.wait_until(lambda: not child.is_running, timeout=timeout, interval=1.0)
        finally:
            child.stop(STOP_TIMEOUT)
        return child.returncode or 0

    def wait_until(self, condition: Callable[[], bool], *, timeout: float | None = None, interval: float = 0.1) -> None:
        """Wait until ``condition`` holds, looking every ``interval`` seconds and whenever a child ends.

        Raises ``StopRequested`` on a signal, ``PartDied`` when a part ends, ``TimeoutError`` after ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._check_parts()
            if condition():
                return
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"not done within {timeout:g} s")
            if any(number in STOP_SIGNALS for number in self._inbox.wait(interval)):
                raise StopRequested

    def wait_forever(self) -> None:
        """Wait until somebody asks for the end or a part dies; raises ``StopRequested`` or ``PartDied``."""
        self.wait_until(lambda: False, interval=60.0)

    def _check_parts(self) -> None:
        for group in self._groups:
            for part in group:
                if not part.is_running:
                    self._bring_back(part)

    def _bring_back(self, part: ChildProcess) -> None:
        """Start a part again that has died. Raises ``PartDied``: it is not to be kept alive, or has died too often."""
        deaths, now = self._deaths.get(part), time.monotonic()
        if deaths is None or (len(deaths) == RESTARTS and now - deaths[0] < RESTART_WINDOW):
            raise PartDied(describe_death(part))
        deaths.append(now)
        # Whoever is killed leaves what it started: orphans, which would go on beside those of the next start.
        kill_session(part.pid)
        how = describe_end(part)
        part.start()
        self._say(f"The part {part.name!r} {how}. It is started again, as process {part.pid}.")

    def _stop_parts(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT
        for group in reversed(self._groups):
            for part in group:
                part.ask_to_stop()
            while any(part.is_running for part in group):
                impatient = any(number in STOP_SIGNALS for number in self._inbox.wait(0.1))
                if impatient or time.monotonic() > deadline:
                    for part in group:
                        part.kill()


def describe_death(part: ChildProcess) -> str:
    """Describe how a part ended, with the last lines of its log."""
    how = describe_end(part)
    lines = part.read_last_lines()
    if not lines:
        return f"{part.name} {how} and left nothing in its log ({part.log_path})."
    return "\n".join([f"{part.name} {how}. The end of {part.log_path}:", *(f"    {line}" for line in lines)])


def describe_end(part: ChildProcess) -> str:
    """Describe how a part ended."""
    code = part.returncode or 0
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
