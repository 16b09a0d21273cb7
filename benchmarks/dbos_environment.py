"""The virtual environment that DBOS runs in: it needs psycopg 3, which Django would take in place of psycopg2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".venv-dbos"
REQUIREMENT = "dbos>=3.4,<4"


def prepare() -> Path:
    """Make the environment where it is missing, and give its Python.

    Raises:
        RuntimeError: where DBOS cannot be installed.
    """
    python = FOLDER / "bin" / "python"
    if python.exists() and read_version():
        return python
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(FOLDER)],
        [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", REQUIREMENT],
    ]
    for command in commands:
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed. Mend that, or leave DBOS out with --without-dbos.")
    return python


def read_version() -> str:
    """Give the installed version of DBOS, or "" where there is none."""
    code = "from importlib.metadata import version; print(version('dbos'))"
    done = subprocess.run([str(FOLDER / "bin" / "python"), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()
