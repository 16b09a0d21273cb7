"""The fenced blocks of a Markdown file, and what a reader does with those of a tutorial."""

import os
import re
import shlex
import signal
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 60.0  # seconds for one command
STOP_TIMEOUT = 30.0  # seconds for a process to end once it is told to

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_FILE = re.compile(r"# (?P<path>\S+): (?P<how>a new file|add at the end)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. ``section`` is the second-level heading that it stands under."""

    language: str
    text: str
    section: str


@dataclass(frozen=True, slots=True)
class Command:
    """A line after ``$``, and the lines that the file shows as its output."""

    line: str
    output: str


def read_blocks(file: Path) -> list[Block]:
    """Give the blocks of a file in their order."""
    text = file.read_text(encoding="utf-8")
    headings = [(match.start(), match[1]) for match in _HEADING.finditer(text)]
    blocks = []
    for match in _FENCE.finditer(text):
        section = next((heading for start, heading in reversed(headings) if start < match.start()), "")
        blocks.append(Block(match["language"], textwrap.dedent(match["text"]), section))
    return blocks


def read_commands(block: Block) -> list[Command]:
    """Give the commands of a ``console`` block."""
    assert block.text.startswith("$ "), block
    commands = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        commands.append(Command(line, output))
    return commands


class Reader:
    """Somebody who follows a tutorial in ``directory``, with a shell that has ``variables``.

    ``changes`` are what differs on this machine from what the tutorial assumes: each text must occur and is replaced.
    """

    def __init__(self, directory: Path, variables: Mapping[str, str], changes: Mapping[str, str]) -> None:
        self.directory = directory
        self.variables = dict(variables)
        self._unused = dict(changes)
        self._changes = dict(changes)
        self._running: list[tuple[str, subprocess.Popen[bytes], Path]] = []

    def write_file(self, block: Block) -> None:
        """Write a ``python`` block into the file that its first line names."""
        match = _FILE.match(block.text)
        assert match, f"The first line names no file: {block.text[:80]!r}"
        file = self.directory / match["path"]
        assert file.exists() == (match["how"] == "add at the end"), f"{file} is not as the tutorial says"
        with file.open("a", encoding="utf-8") as opened:
            opened.write(f"\n{self._change(block.text)}")

    def run(self, command: Command) -> str:
        """Run a command to its end, and see that it says what the tutorial says; give all that it said."""
        words = shlex.split(command.line)
        if words[0] == "cd":
            self.directory /= words[1]
            return ""
        result = subprocess.run(
            ["bash", "-c", self._change(command.line)],
            cwd=self.directory,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert result.returncode == 0, f"$ {command.line}\n{result.stdout}"
        lines = result.stdout.splitlines()
        for expected in command.output.splitlines():
            assert expected in lines, f"$ {command.line}\nsays no line {expected!r}:\n{result.stdout}"
        return result.stdout

    @contextmanager
    def running(self, commands: list[Command]) -> Iterator[None]:
        """Start commands that do not end by themselves, each in a terminal of its own; stop them afterwards."""
        try:
            for number, command in enumerate(commands):
                self._start(command, self.directory.parent / f"terminal-{number}.log")
            yield
        except BaseException as error:
            error.add_note(self.describe_terminals())
            raise
        finally:
            for _, process, _ in self._running:
                _stop(process)
            self._running.clear()

    def describe_terminals(self) -> str:
        """Give the last lines of each terminal."""
        texts = [f"$ {line}\n{log.read_text(errors='replace')[-3000:]}" for line, _, log in self._running]
        return "\n\n".join(texts)

    def check_that_all_was_met(self) -> None:
        """Fail where a text of ``changes`` never occurred: then the tutorial assumes something else than is thought."""
        assert not self._unused, f"The tutorial does not hold: {', '.join(self._unused)}"

    def _start(self, command: Command, log: Path) -> None:
        with log.open("wb") as output:
            process = subprocess.Popen(
                shlex.split(self._change(command.line)),
                cwd=self.directory,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._running.append((command.line, process, log))

    def _change(self, text: str) -> str:
        for before, after in self._changes.items():
            if before in text:
                self._unused.pop(before, None)
                text = text.replace(before, after)
        return text


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except ProcessLookupError:
        process.wait()
