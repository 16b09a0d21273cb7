"""Where the processes that a step forks leave what they put out, for the process that runs the step to read."""

from __future__ import annotations

import codecs
import fcntl
import os
import tempfile

OPEN = 0o600
OVER = 0o400
"""The file's mode tells the writers that nobody reads any more: they see it in the same call as the size."""


class Spool:
    """A file without a name, shared through a fork. Each text is appended whole, by any number of processes.

    A writer that is killed leaves all that it has written, and one that outlives the step harms nobody.
    """

    def __init__(self) -> None:
        self._file = _make_file()
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, text: str, *, limit: int) -> bool:
        """Leave a text. More than ``limit`` bytes and one text are not kept.

        Returns:
            False if the step is over.
        """
        status = os.fstat(self._file)
        if status.st_mode & 0o777 == OVER:
            return False
        if status.st_size <= limit:
            os.write(self._file, text.encode())
        return True

    def read(self) -> str:
        """Return what was left since the last read."""
        size = os.fstat(self._file).st_size
        if size <= self._offset:
            return ""
        data = os.pread(self._file, size - self._offset, self._offset)
        self._offset += len(data)
        return self._decoder.decode(data)

    def end(self) -> None:
        """Have the writers stop: nobody reads what they write from now on."""
        os.fchmod(self._file, OVER)

    def close(self) -> None:
        """Close this process's end of it."""
        os.close(self._file)


def _make_file() -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("django-wfe-output")
        os.fchmod(file, OPEN)
    else:
        with tempfile.TemporaryFile() as unnamed:
            file = os.dup(unnamed.fileno())
    # One position for all processes, and no write in the middle of another.
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file
