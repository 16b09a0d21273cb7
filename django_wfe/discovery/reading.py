"""Reads definitions through a child process, so that no module can harm the process that asks."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from django_wfe.conf import settings
from django_wfe.discovery.files import is_project_file, list_candidates
from django_wfe.engine.project_code.recording import DeclaredWorkflow

CHILD_MODULE = "django_wfe.discovery.child"

SETUP_SECONDS = 60.0
"""How long the child may take to start and set Django up, at the least, before it reads the first module."""

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 2.0
_KEPT_OUTPUT_BYTES = 65_536


class ReadingStopped(Exception):
    """The reading was called off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleReading:
    """What one definition module gave.

    Attributes:
        workflows: what it declares, each path once.
        error: one line that says why it could not be read; then ``workflows`` is empty.
        files: the files whose change may change this.
        warnings: what looks like a mistake in it and keeps nothing from running, one sentence each.
    """

    module: str
    workflows: tuple[DeclaredWorkflow, ...] = ()
    error: str = ""
    files: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def read_modules(
    names: Sequence[str],
    *,
    timeout: float | None = None,
    stop: threading.Event | None = None,
    variables: Mapping[str, str] | None = None,
) -> list[ModuleReading]:
    """Import definition modules in a fresh child process and give what each declares, in the order of ``names``.

    A module that ends, breaks or holds up the process harms only itself: another child reads the modules after it.

    Args:
        timeout: seconds for each module. Default: ``WFE_DISCOVERY_TIMEOUT``.
        stop: set by another thread to call it off.
        variables: what the child has in its environment besides. Default: nothing.

    Raises:
        ReadingStopped: when ``stop`` is set.
        ImproperlyConfigured: if no settings module is known that the child could use.
    """
    seconds = settings.discovery_timeout if timeout is None else timeout
    readings: list[ModuleReading] = []
    remaining = list(dict.fromkeys(names))
    while remaining:
        with _Child(remaining, dict(variables or {})) as child:
            given = child.listen(seconds, stop)
        readings.extend(given)
        remaining = remaining[len(given) :]
    return readings


@dataclass
class _Child:
    names: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)
    output: bytearray = field(default_factory=bytearray)
    files: set[str] = field(default_factory=set)

    def __enter__(self) -> _Child:
        self.pipe, inherited = os.pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603  (our own module, and names from the settings)
                [sys.executable, "-P", "-m", CHILD_MODULE, str(inherited), str(os.getpid()), *self.names],
                env={**_build_environment(), **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(inherited,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self.pipe)
            raise
        finally:
            os.close(inherited)
        return self

    def __exit__(self, *exception: object) -> None:
        # The whole session, since a module may have started processes; before the wait, while the id is still ours.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.process.kill()
        self.process.wait()
        os.close(self.pipe)
        assert self.process.stderr is not None  # noqa: S101  (asked for above)
        self.process.stderr.close()

    def listen(self, seconds: float, stop: threading.Event | None) -> list[ModuleReading]:
        """Collect readings until the child has read all, or one module has ended it: then that one's is the last."""
        readings: list[ModuleReading] = []
        ready = False
        allowed = max(seconds, SETUP_SECONDS)
        deadline = time.monotonic() + allowed
        for message in self._iterate_messages():
            if stop is not None and stop.is_set():
                raise ReadingStopped
            if message is None:
                if time.monotonic() < deadline:
                    continue
                return [*readings, *self._blame(readings, ready=ready, reason=self._explain_timeout(allowed))]
            if "file" in message:
                self.files.add(message["file"])
                continue
            ready, allowed = True, seconds
            deadline = time.monotonic() + allowed
            if "failed" in message:
                return [*readings, *self._blame(readings, ready=False, reason=message["failed"])]
            if "module" in message:
                reading = build_reading(message)
                # Whatever was run may hold the cure of an error, though the traceback does not pass there.
                files = reading.files | self.files if reading.error else reading.files
                readings.append(replace(reading, files=files))
            if "done" in message:
                return readings
        return [*readings, *self._blame(readings, ready=ready, reason=self._explain_end())]

    def _iterate_messages(self) -> Any:
        """Yield each message, None at least every 0.2 s, and end with the process or its end of the pipe."""
        buffer = bytearray()
        assert self.process.stderr is not None  # noqa: S101  (asked for above)
        with selectors.DefaultSelector() as selector:
            selector.register(self.pipe, selectors.EVENT_READ)
            selector.register(self.process.stderr, selectors.EVENT_READ)
            while True:
                events = selector.select(_POLL_SECONDS)
                for key, _ in events:
                    chunk = os.read(key.fd, 65_536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                        if key.fd == self.pipe:
                            return
                    elif key.fd == self.pipe:
                        buffer += chunk
                    else:
                        self._keep(chunk)
                *lines, rest = buffer.split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    yield json.loads(line)
                if not events and self.process.poll() is not None:
                    return  # a process that it started may hold the pipe open
                yield None

    def _keep(self, chunk: bytes) -> None:
        self.output += chunk
        del self.output[:-_KEPT_OUTPUT_BYTES]

    def _blame(self, readings: list[ModuleReading], *, ready: bool, reason: str) -> list[ModuleReading]:
        """Return the module that was being read this error; all modules, where Django did not even start."""
        remaining = self.names[len(readings) :]
        blamed = remaining[:1] if ready else remaining
        return [
            ModuleReading(
                module=name,
                error=f"{name} cannot be imported: {reason}",
                files=frozenset([*list_candidates(name), *self.files]),
            )
            for name in blamed
        ]

    def _explain_timeout(self, seconds: float) -> str:
        self.process.send_signal(signal.SIGABRT)
        self._drain()
        return (
            f"it took longer than {seconds:g} seconds{self._locate()}. "
            "Let it do less at import, or raise WFE_DISCOVERY_TIMEOUT."
        )

    def _explain_end(self) -> str:
        self._drain()
        try:
            code = self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return f"it closed the pipe of the process that read it{self._locate()}."
        if code < 0:
            return f"it ended its process with {signal.Signals(-code).name}{self._locate()}."
        return f"it ended its process with exit code {code}{self._locate()}."

    def _drain(self) -> None:
        """Read what the process writes at its end."""
        assert self.process.stderr is not None  # noqa: S101  (asked for above)
        descriptor = self.process.stderr.fileno()
        os.set_blocking(descriptor, False)
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            try:
                chunk = os.read(descriptor, 65_536)
            except BlockingIOError:
                if ended:
                    return
                time.sleep(0.01)
                continue
            if not chunk:
                return
            self._keep(chunk)

    def _locate(self) -> str:
        places = self._list_places()
        return f" ({places[0][0]}, line {places[0][1]})" if places else ""

    def _list_places(self) -> list[tuple[str, str]]:
        """List the project's files and lines in the traceback that the child's fault handler wrote, innermost first."""
        places = []
        for line in self.output.decode(errors="replace").splitlines():
            before, found, rest = line.partition('File "')
            file, closed, place = rest.rpartition('", line ')
            if found and closed and not before.strip() and os.path.isabs(file) and is_project_file(file):
                places.append((file, place.split()[0].rstrip(",")))
        return places


def build_reading(message: dict[str, Any]) -> ModuleReading:
    """Return what the child has told of one module."""
    workflows: dict[str, DeclaredWorkflow] = {}
    for data in message["workflows"]:
        declared = DeclaredWorkflow.from_json(data)
        workflows.setdefault(declared.path, declared)
    return ModuleReading(
        module=message["module"],
        workflows=tuple(workflows.values()),
        error=message["error"],
        files=frozenset(message["files"]),
        warnings=tuple(message["warnings"]),
    )


def _build_environment() -> dict[str, str]:
    module = os.environ.get("DJANGO_SETTINGS_MODULE") or getattr(django_settings, "SETTINGS_MODULE", None)
    if not module:
        raise ImproperlyConfigured("The definitions are read in a process of their own: set DJANGO_SETTINGS_MODULE.")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": module,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        # Files are read in the middle of being edited: what is compiled then must not stay.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
