"""Throughput over RabbitMQ: django-wfe and a hand-written Dramatiq pipeline, by 2 processes of 8 threads each.

Both have their workers running all the time; only the one whose turn it is has work. It is measured in two ways:

- a backlog: the jobs are started while the workers are stopped (SIGSTOP), and what is counted is the time from letting
  them go until the last job is finished: what the workers can do;
- with starts: from before the first start until the last job is finished, with one process that starts the jobs one
  after another on the same machine. A start of django-wfe is a commit, of the hand-written pipeline a message.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import handwritten_table
from benchmarks.contenders import Contender, build_engine
from benchmarks.counts import Counts
from benchmarks.database import Parameters, build_environment, execute, open_database
from django_wfe.demo.servers.processes import ChildProcess

PROCESSES = 2
THREADS = 8

Figures = dict[str, float]


def measure(server: Parameters, url: str, counts: Counts) -> Figures:
    """Give jobs and steps a second of both, for jobs of 3 and of 10 steps, and the ratios."""
    queue = f"wfe_benchmark_{os.getpid()}"
    with ExitStack() as stack:
        database = stack.enter_context(open_database(server, "broker"))
        execute(database, handwritten_table.CREATE)
        stack.callback(delete_queues, url, queue, f"{queue}_handwritten")
        environment = build_environment(database, WFE_BENCH_BROKER_URL=url, WFE_BENCH_QUEUE=queue)
        contenders = {}
        for name, module, start, await_end in (
            ("ours", ["django", "rundramatiq"], "order", "await_orders"),
            ("handwritten", ["dramatiq", "benchmarks.handwritten"], "send_handwritten", "await_handwritten"),
        ):
            starter = stack.enter_context(build_engine(environment))
            workers = stack.enter_context(run_workers(module, environment, PROCESSES, THREADS))
            contenders[name] = Pipeline(starter, workers, start, await_end)
        taken = _take_turns(contenders, counts)
    return _compare({name: median(values) for name, values in taken.items()}, counts)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Workers, and a process that starts jobs for them and knows when they are finished."""

    starter: Contender
    workers: ChildProcess
    start: str
    await_end: str

    def run(self, steps: int, jobs: int, *, backlog: bool) -> float:
        """Give the jobs that are finished in a second.

        Args:
            backlog: let the workers begin when all jobs are started, and count from there. Otherwise they work from the
                beginning, and it is counted from before the first start.
        """
        question = {"steps": steps, "jobs": jobs}
        began = self.starter.ask("tell_time")
        if backlog:
            self._signal(signal.SIGSTOP)
        try:
            first = self.starter.ask(self.start, **question)
            if backlog:
                began = self.starter.ask("tell_time")
        finally:
            self._signal(signal.SIGCONT)
        return jobs / float(self.starter.ask(self.await_end, first=first, began=began, **question))

    def _signal(self, number: signal.Signals) -> None:
        # The workers' session is their own.
        os.killpg(self.workers.pid, number)


def _take_turns(contenders: dict[str, Pipeline], counts: Counts) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {}
    for turn in range(-1, counts.broker_rounds):
        for steps, jobs in counts.broker_jobs.items():
            for kind, backlog in (("", True), ("_with_starts", False)):
                for name, pipeline in contenders.items():
                    jobs_per_second = pipeline.run(steps, jobs if turn >= 0 else 64, backlog=backlog)
                    if turn >= 0:  # the first turn opens connections and plans statements
                        taken.setdefault(f"{name}_broker{steps}{kind}", []).append(jobs_per_second)
    return taken


def _compare(medians: dict[str, float], counts: Counts) -> Figures:
    figures: Figures = {}
    for steps in counts.broker_jobs:
        for kind in ("", "_with_starts"):
            for name in ("ours", "handwritten"):
                jobs_per_second = medians[f"{name}_broker{steps}{kind}"]
                figures[f"{name}_broker{steps}{kind}_jobs_per_s"] = jobs_per_second
                figures[f"{name}_broker{steps}{kind}_steps_per_s"] = jobs_per_second * steps
            figures[f"broker{steps}{kind}_vs_handwritten"] = (
                medians[f"ours_broker{steps}{kind}"] / medians[f"handwritten_broker{steps}{kind}"]
            )
    return figures


@contextmanager
def run_workers(
    module: list[str], environment: dict[str, str], processes: int, threads: int, folder: Path | None = None
) -> Iterator[ChildProcess]:
    """Run Dramatiq workers, by ``python -m`` with the arguments of ``module``; they are ready when the block begins.

    ``folder`` is where they run, by default where this process does.
    """
    with tempfile.TemporaryDirectory(prefix="wfe-bench-") as directory:
        workers = ChildProcess(
            f"workers of {module[-1]}",
            [sys.executable, "-m", *module, "--processes", str(processes), "--threads", str(threads)],
            log_path=Path(directory) / "workers.log",
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            folder=folder,
        )
        workers.start()
        try:
            _wait_for_boot(workers, processes)
            yield workers
        finally:
            workers.stop(timeout=30)


def delete_queues(url: str, *names: str) -> None:
    """Delete Dramatiq's three queues of each name."""
    import pika  # type: ignore[import-untyped]

    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    for name in names:
        for suffix in ("", ".DQ", ".XQ"):
            channel.queue_delete(f"{name}{suffix}")
    connection.close()


def _wait_for_boot(workers: ChildProcess, processes: int, *, timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while sum("Worker process is ready" in line for line in workers.read_last_lines(1000)) < processes:
        if not workers.is_running or time.monotonic() > deadline:
            log = "\n".join(workers.read_last_lines())
            raise RuntimeError(f"The {workers.name} did not start:\n{log}")
        time.sleep(0.05)
