"""A contender: a process of its own that measures itself when it is told to, so that contenders can take turns.

It is asked by one line of JSON on its stdin, and answers by one on its stdout.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Contender:
    """A running contender. A context manager: it ends with the block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        # The end of its input is what tells it to end.
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def ask(self, what: str, **arguments: Any) -> Any:
        """Have the contender do ``what``, and give its answer.

        Raises:
            RuntimeError: where it ended; its stderr, which is this process's, says why.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"what": what, "arguments": arguments}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended with {process.wait()} when asked for {what!r}.")
        return json.loads(line)


def build_engine(environment: Mapping[str, str], folder: Path | None = None) -> Contender:
    """Return a contender that is django-wfe itself, run in this folder (default: this process's)."""
    return Contender([sys.executable, "-m", "benchmarks.engine_runner"], environment, folder)
