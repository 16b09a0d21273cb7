"""The project of the README's tutorial in a folder of its own, for those who make mistakes with it."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.support.documents.readme_blocks import read_blocks
from tests.support.running.driver import connect

ROOT = Path(__file__).parents[3]
TUTORIAL = "Five minutes to a finished Job"
TIMEOUT = 120.0  # seconds for one command

_CHANGES = """
DATABASES["default"].update(
    HOST={host!r}, PORT={port!r}, USER={user!r}, PASSWORD={password!r}, NAME={name!r}
)
DRAMATIQ_BROKER["OPTIONS"] = {{"url": {broker!r}, "namespace": {name!r}}}
exec(__import__("os").environ.get("SHOP_SETTINGS", ""))
"""


class Shop:
    """The project in ``folder``; ``database`` is its database."""

    def __init__(self, folder: Path, database: str, broker: str) -> None:
        self.folder = folder
        self.database = database
        self.workflows = folder / "shop" / "workflows.py"
        command = [sys.executable, "-m", "django", "startproject", "shop", str(folder)]
        subprocess.run(command, check=True, env={**os.environ, "DJANGO_SETTINGS_MODULE": ""}, timeout=TIMEOUT)
        for block in read_blocks(ROOT / "README.md"):
            if block.section == TUTORIAL and block.language == "python":
                named = re.match(r"# (\S+): ", block.text)
                assert named
                with (folder / named[1]).open("a") as file:
                    file.write(f"\n{block.text}")
        server = settings.DATABASES["default"]
        places = {key.lower(): str(server[key]) for key in ("HOST", "PORT", "USER", "PASSWORD")}
        with (folder / "shop" / "settings.py").open("a") as file:
            file.write(_CHANGES.format(name=database, broker=broker, **places))
        self.declared = self.workflows.read_text()

    def run(self, line: str, settings: str = "") -> tuple[int, str]:
        """Run a line of ``manage.py`` with more lines of settings; give its exit code and all that it says."""
        result = subprocess.run(
            [sys.executable, "manage.py", *shlex.split(line)],
            cwd=self.folder,
            env=self._build_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return result.returncode, result.stdout

    @contextmanager
    def running(self, line: str, log: Path, settings: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """Run a line of ``manage.py`` that does not end by itself, and end it with the block."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *shlex.split(line)],
                cwd=self.folder,
                env=self._build_environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _build_environment(self, settings: str) -> dict[str, str]:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "SHOP_SETTINGS": settings,
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


@contextmanager
def scratch_database(name: str) -> Iterator[str]:
    """An empty database on the server of the tests."""
    _execute(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        _execute(f"DROP DATABASE {name} WITH (FORCE)")


def _execute(statement: str) -> None:
    server: dict[str, Any] = settings.DATABASES["default"]
    keys = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    arguments = {name: str(server[key]) for name, key in keys.items() if server[key]}
    with closing(connect(dbname="postgres", **arguments)) as connection:
        connection.autocommit = True  # a database is made outside of transactions
        with connection.cursor() as cursor:
            cursor.execute(statement)
