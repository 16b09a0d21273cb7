"""The two sides of a comparison: the code of a commit with its own tables, asked by the harness of this checkout.

A side's processes find three things on their path: a copy of this checkout's ``benchmarks``, the side's own
``django_wfe``, and what is installed. They run in the folder of that copy, because Python and Dramatiq look for modules
in the folder where they run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.broker import PROCESSES, THREADS, Pipeline, delete_queues, run_workers
from benchmarks.contenders import Contender, build_engine
from benchmarks.database import Parameters, build_environment, execute, migrate, open_database

ROOT = Path(__file__).resolve().parent.parent


class UnusableReference(RuntimeError):
    """The commit cannot be compared with; the message says why."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side: the code under ``root``, and a database with the tables that this code makes."""

    name: str
    root: Path
    harness: Path
    template: Parameters

    def build_environment(self, database: Parameters, **variables: str) -> dict[str, str]:
        """Return the environment of a process of this side that works on ``database``."""
        path = os.pathsep.join([str(self.harness), str(self.root), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        return {**build_environment(database, **variables), "PYTHONPATH": path}

    @contextmanager
    def run(self, server: Parameters, number: int, broker_url: str | None) -> Iterator[Running]:
        """Run this side's processes on a database of their own, a copy of the template.

        Raises:
            UnusableReference: they run other code than this side's.
        """
        queue = f"wfe_benchmark_{os.getpid()}_{self.name}{number}"
        with ExitStack() as stack:
            database = stack.enter_context(
                open_database(server, f"{self.name}{number}", migrated=False, template=self.template["dbname"])
            )
            environment = self.build_environment(database)
            engine = stack.enter_context(build_engine(environment, self.harness))
            self._check_code(str(engine.ask("locate")))
            if broker_url is None:
                yield Running(engine, None)
                return
            environment = self.build_environment(database, WFE_BENCH_BROKER_URL=broker_url, WFE_BENCH_QUEUE=queue)
            stack.callback(delete_queues, broker_url, queue)
            starter = stack.enter_context(build_engine(environment, self.harness))
            workers = stack.enter_context(
                run_workers(["django", "rundramatiq"], environment, PROCESSES, THREADS, self.harness)
            )
            self._check_code(str(starter.ask("locate_at_worker")))
            yield Running(engine, Pipeline(starter, workers, "order", "await_orders"))

    def _check_code(self, found: str) -> None:
        if not Path(found).resolve().is_relative_to(self.root.resolve()):
            raise UnusableReference(f"The processes of {self.name!r} ran {found}, which is not below {self.root}.")


@dataclass(frozen=True, slots=True)
class Running:
    """The processes of a side: one that runs and starts jobs by itself, and one with workers."""

    engine: Contender
    pipeline: Pipeline | None


@contextmanager
def open_sides(server: Parameters, reference: str, temporary: Path) -> Iterator[tuple[Side, Side]]:
    """Check the commit out into the temporary folder, and give this checkout and it; nothing is left at the end.

    Raises:
        UnusableReference: there is no such commit, or its migrations fail.
    """
    harness, other = temporary / "harness", temporary / "reference"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "benchmarks", harness / "benchmarks", ignore=ignored)
    _run_git("worktree", "add", "--detach", "--force", str(other), read_commit(reference))
    try:
        with ExitStack() as stack:
            sides = []
            for name, root in (("this", ROOT), ("reference", other)):
                template = stack.enter_context(open_database(server, f"{name}_template", migrated=False))
                side = Side(name, root, harness, template)
                _migrate(side)
                sides.append(side)
            yield sides[0], sides[1]
    finally:
        _run_git("worktree", "remove", "--force", str(other))


def read_commit(reference: str) -> str:
    """Return the full name of the commit that ``reference`` means. Raises ``UnusableReference``: there is none."""
    return _run_git("rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}")


def describe_checkout() -> str:
    """Return what this checkout is: its commit, and whether it has changes that are in none."""
    changed = _run_git("status", "--porcelain", "--untracked-files=no")
    return _run_git("rev-parse", "--short", "HEAD") + (" with changes that are not committed" if changed else "")


def _migrate(side: Side) -> None:
    try:
        migrate(side.template, side.build_environment(side.template), side.harness)
    except subprocess.CalledProcessError as error:
        raise UnusableReference(f"The migrations of {side.name!r} ({side.root}) fail: see above.") from error
    # What was just created is in no state of rest: let both sides begin alike.
    execute(side.template, "VACUUM ANALYZE", "CHECKPOINT")


def _run_git(*arguments: str) -> str:
    try:
        process = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UnusableReference("git is not installed, and it is what the other commit comes from.") from error
    if process.returncode != 0:
        raise UnusableReference(f"git {' '.join(arguments)} failed: {process.stderr.strip()}")
    return process.stdout.strip()
