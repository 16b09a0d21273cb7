"""The processes of a project: its commands, its workers and its web server, on databases of its own."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings

from tests.projects.options import Options
from tests.support.running.driver import connect
from tests.support.running.waiting import wait_until

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
COMMAND_TIMEOUT = 120  # seconds
LOG_SHOWN = 6000  # characters of what a process wrote, where a test fails


def list_projects() -> list[str]:
    """Give the names of the projects: the folders that have settings."""
    return sorted(path.parent.name for path in FOLDER.glob("*/settings.py"))


@dataclass
class Project:
    """One project; ``databases`` are the names of its databases by alias."""

    name: str
    options: Options
    databases: dict[str, str]
    environment: dict[str, str]
    directory: Path
    python: str = sys.executable

    def manage(self, *arguments: str, status: int = 0) -> str:
        """Run a management command, which must exit with ``status``; give all that it printed."""
        return self._run("django", *arguments, status=status)

    def ask(self, task: str, *arguments: object) -> Any:
        """Run a task of ``tests.projects.inside`` and give its answer."""
        output = self._run("tests.projects.inside", task, *map(str, arguments), status=0)
        return json.loads(output.strip().splitlines()[-1])

    @contextmanager
    def working(self, *, threads: int = 2) -> Iterator["Child"]:
        """Run workers; they are told to stop at the end, and must do so well."""
        command = ("django", "rundramatiq", "--processes", "1", "--threads", str(threads))
        with self._running("workers", *command) as child:
            yield child
            child.stop()
            assert child.process.returncode == 0, child.describe()

    @contextmanager
    def watching(self, *, name: str = "watchdog") -> Iterator["Child"]:
        """Run a watchdog; unless the test has ended it, it is told to stop at the end, and must do so well."""
        with self._running(name, "django", "wfe_watchdog") as child:
            yield child
            if child.process.poll() is None:
                child.stop()
                assert child.process.returncode == 0, child.describe()

    @contextmanager
    def serving(self) -> Iterator[tuple["Child", str]]:
        """Run the web server; give its process and its address."""
        with self._running("server", "tests.projects.inside", "serve") as child:
            line = wait_until(child.find_answer, timeout=60, message=child.describe)
            yield child, json.loads(line)

    def _run(self, *command: str, status: int) -> str:
        done = subprocess.run(
            [self.python, "-m", *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
        assert done.returncode == status, f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr + done.stdout

    @contextmanager
    def _running(self, name: str, *command: str) -> Iterator["Child"]:
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.python, "-m", *command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        child = Child(process, log)
        try:
            yield child
        except BaseException as error:
            error.add_note(child.describe()[-LOG_SHOWN:])
            raise
        finally:
            child.kill()


@dataclass
class Child:
    """A process that goes on, and the file that it writes to."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")

    def describe(self) -> str:
        return f"{' '.join(map(str, self.process.args))} ({self.process.poll()}):\n{self.read_log()}"  # type: ignore[arg-type]

    def find_answer(self) -> str:
        """Give the line of JSON, or nothing yet."""
        assert self.process.poll() is None, self.describe()
        return next((line for line in self.read_log().splitlines() if line.startswith('"http')), "")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def project_set_up(name: str, directory: Path, broker_url: str, broker_namespace: str) -> Iterator[Project]:
    """Make the databases of a project, and drop them at the end."""
    package = importlib.import_module(f"tests.projects.{name}")
    options: Options = getattr(package, "OPTIONS", Options())
    databases = {alias: f"wfe_project_{name}_{alias}_{os.getpid()}" for alias in options.databases}
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("WFE_TEST_", "PYTEST_"))},
        "DJANGO_SETTINGS_MODULE": f"tests.projects.{name}.settings",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "error" if options.quiet else "default",
        "WFE_PROJECT_DATABASES": json.dumps(databases),
        "WFE_PROJECT_BROKER_URL": broker_url,
        "WFE_PROJECT_BROKER_NAMESPACE": f"{broker_namespace}-{name}",
        **{f"WFE_TEST_DATABASE_{key}": str(_get_server()[key]) for key in ("HOST", "PORT", "USER", "PASSWORD")},
    }
    for database in databases.values():
        execute("postgres", f"CREATE DATABASE {database}")
    try:
        for database in databases.values():
            for statement in options.prepare:
                execute(database, statement.replace("{name}", database))
        project = Project(name, options, databases, environment, directory)
        with options.surroundings(project):
            yield project
    finally:
        for database in databases.values():
            execute("postgres", f"DROP DATABASE {database} WITH (FORCE)")


def execute(database: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement in a database, by a connection of its own; give its rows."""
    server = _get_server()
    with closing(
        connect(
            dbname=database,
            host=server["HOST"],
            port=server["PORT"] or None,
            user=server["USER"],
            password=server["PASSWORD"],
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def _get_server() -> dict[str, Any]:
    return django_settings.DATABASES["default"]
