"""The command line of the demo."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the person who starts the demo asks for."""

    command: str
    directory: Path
    port: int
    stop_with_parent: bool


def parse_arguments(arguments: list[str] | None = None) -> Arguments:
    """Read the command line, by default this process's own; leaves with an explanation where it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m django_wfe.demo",
        description="Run a whole django-wfe installation on this machine: database, broker, web, workers, watchdog.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="run",
        choices=["run", "clean"],
        help="run: until Ctrl-C (the default). clean: delete the demo's data.",
    )
    parser.add_argument(
        "--directory", type=Path, default=Path(".demo"), help="where data and logs are kept (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=_read_port,
        help="the port of the web server, or the next free one (default: the variable PORT, else 8000)",
    )
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="stop when the process that started the demo ends, however it does",
    )
    values = parser.parse_args(arguments)
    if values.port is None:
        try:
            values.port = _read_port(os.environ.get("PORT") or "8000")
        except argparse.ArgumentTypeError as error:
            parser.error(f"variable PORT: {error}")
    return Arguments(
        command=values.command,
        directory=values.directory,
        port=values.port,
        stop_with_parent=values.stop_with_parent,
    )


def _read_port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to 65535, or 0 for any")
    return int(text)
