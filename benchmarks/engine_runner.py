"""django-wfe as a contender: runs in a process of its own, and does what it reads from its stdin."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import django


def main() -> None:
    """Answer each question until there is none."""
    django.setup()
    answers = sys.stdout
    # What is printed below must not be taken for an answer.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        answers.write(json.dumps(COMMANDS[question["what"]](**question["arguments"])) + "\n")
        answers.flush()


def locate() -> str:
    """Return the file of the django-wfe that this process runs."""
    import django_wfe

    return str(django_wfe.__file__)


def locate_at_worker() -> str:
    """Return the file of the django-wfe that the workers run, as one of their steps tells it."""
    from benchmarks.workflows import Locate
    from django_wfe import order_workflow_execution

    job_id = order_workflow_execution(Locate)
    _wait_until(partial(_has_state, job_id, "FINISHED"), "a job is finished", timeout=60)
    result = "SELECT result FROM django_wfe_steprun WHERE job_id = %s AND number = 1 AND state = 'FINISHED'"
    return str(json.loads(_fetch(result, job_id)))


def take_cpu_time(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what the command answers, and the milliseconds of CPU that this process had for it."""
    began = time.process_time()
    answer = COMMANDS[command](**arguments)
    return {"answer": answer, "cpu_ms": (time.process_time() - began) * 1000}


def run(steps: int, jobs: int) -> list[float]:
    """Run jobs by ``run_workflow``; give the milliseconds of each."""
    from benchmarks.workflows import CHAINS, STARTED_AT
    from django_wfe import run_workflow

    workflow, milliseconds = CHAINS[steps], []
    for _ in range(jobs):
        STARTED_AT.clear()
        began = time.perf_counter()
        run_workflow(workflow)
        milliseconds.append((time.perf_counter() - began) * 1000)
    return milliseconds


def run_loop() -> list[float]:
    """Run one job of 1,000 steps; give the milliseconds from each step's start to the next one's."""
    from benchmarks.workflows import STARTED_AT

    run(1000, 1)
    return [(after - before) * 1000 for before, after in pairwise(STARTED_AT)]


def start(jobs: int) -> list[float]:
    """Start jobs without sending a message; give the milliseconds of each."""
    from benchmarks.workflows import CHAINS

    return _start_each(CHAINS[10], [{}] * jobs)


def start_bare(jobs: int) -> list[float]:
    """Start as many of the chain that ``start_with_data`` starts, without data."""
    from benchmarks.workflows import CHAINS

    return _start_each(CHAINS[3], [{}] * jobs)


def start_with_data(jobs: int) -> list[float]:
    """Start jobs with an input and two attributes; give the milliseconds of each."""
    from benchmarks.workflows import Delivery

    given = [{"input": {"order": number, "customer": f"Customer {number % 7}"}} for number in range(jobs)]
    return _start_each(Delivery, given)


def _start_each(workflow: Any, options: list[dict[str, Any]]) -> list[float]:
    from django_wfe import order_workflow_execution

    delivery = _import_first("django_wfe.engine.delivery.dispatcher", "django_wfe.engine.dispatcher")
    delivery.install_dispatcher(delivery.NullDispatcher())
    milliseconds = []
    for given in options:
        began = time.perf_counter()
        order_workflow_execution(workflow, **given)
        milliseconds.append((time.perf_counter() - began) * 1000)
    delivery.install_dispatcher(None)
    return milliseconds


def sweep(times: int) -> list[float]:
    """Sweep; give the milliseconds of each sweep, and fail where one found something to do."""
    recover = _import_first("django_wfe.engine.recovery.sweeping", "django_wfe.engine.recovery").sweep
    milliseconds = []
    for _ in range(times):
        began = time.perf_counter()
        report = recover()
        milliseconds.append((time.perf_counter() - began) * 1000)
        assert not report, f"{report}: all was in order, so that there was nothing to recover"
    return milliseconds


def _import_first(*modules: str) -> Any:
    """Import the first of these modules that is there: the other side may be a commit from before a move."""
    for module in modules:
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not module.startswith(error.name):
                raise
    raise ModuleNotFoundError(f"None of these modules is there: {', '.join(modules)}.")


def tell_time() -> str:
    """Give the time by the database's clock."""
    return str(_fetch("SELECT clock_timestamp()"))


def order(steps: int, jobs: int) -> int:
    """Start jobs for the workers, one after another; give the first one's id."""
    from benchmarks.workflows import CHAINS
    from django_wfe import order_workflow_execution

    return min([order_workflow_execution(CHAINS[steps]) for _ in range(jobs)])


def await_orders(first: int, steps: int, jobs: int, began: str) -> float:
    """Wait until the jobs from the id ``first`` on are finished; give the seconds from ``began`` to the last one's end.

    By the database's clock.
    """
    unfinished = "SELECT count(*) FROM django_wfe_job WHERE state IN ('PENDING', 'ONGOING') AND id >= %s"
    _wait_until(lambda: _fetch(unfinished, first) == 0, f"{jobs} jobs of {steps} steps are finished")
    done = "SELECT count(*) FROM django_wfe_job WHERE state = 'FINISHED' AND current_step_number = %s AND id >= %s"
    assert _fetch(done, steps, first) == jobs
    ended = "SELECT extract(epoch FROM max(finished_at) - %s::timestamptz)::float FROM django_wfe_job WHERE id >= %s"
    return float(_fetch(ended, began, first))


def send_handwritten(steps: int, jobs: int) -> int:
    """As ``order``, for the pipeline written by hand."""
    from benchmarks.handwritten import run_handwritten_step

    first = int(_fetch("SELECT coalesce(max(job), 0) + 1 FROM handwritten_step"))
    for job in range(first, first + jobs):
        run_handwritten_step.send(job, 1, steps)
    return first


def await_handwritten(first: int, steps: int, jobs: int, began: str) -> float:
    """As ``await_orders``, for the pipeline written by hand."""
    done = "SELECT count(*) FROM handwritten_step WHERE job >= %s"
    _wait_until(lambda: _fetch(done, first) == jobs * steps, f"{jobs} pipelines of {steps} steps are done")
    ended = "SELECT extract(epoch FROM max(created_at) - %s::timestamptz)::float FROM handwritten_step WHERE job >= %s"
    return float(_fetch(ended, began, first))


def measure_latency(samples: int, pause: float) -> dict[str, list[float]]:
    """Give the milliseconds from a start, and from an input, until the step that it leads to has begun."""
    from benchmarks.workflows import Latency
    from django_wfe import order_workflow_execution, provide_external_input

    result = "SELECT result FROM django_wfe_steprun WHERE job_id = %s AND number = %s AND state = 'FINISHED'"
    latencies: dict[str, list[float]] = {"order": [], "input": []}
    for _ in range(samples):
        time.sleep(pause)
        began = time.time()
        job_id = order_workflow_execution(Latency)
        _wait_until(partial(_has_state, job_id, "INPUT_REQUIRED"), "a job waits for input")
        latencies["order"].append((float(_fetch(result, job_id, 1)) - began) * 1000)
        time.sleep(pause)
        began = time.time()
        provide_external_input(job_id, {"number": 1})
        _wait_until(partial(_has_state, job_id, "FINISHED"), "a job is finished")
        latencies["input"].append((float(_fetch(result, job_id, 2)) - began) * 1000)
    return latencies


def _has_state(job_id: int, state: str) -> bool:
    return bool(_fetch("SELECT state FROM django_wfe_job WHERE id = %s", job_id) == state)


def _fetch(statement: str, *parameters: Any) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return row[0] if row else None


def _wait_until(condition: Callable[[], bool], what: str, *, timeout: float = 300.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {timeout:g} s it is still not so that {what}.")
        time.sleep(0.02)


COMMANDS: dict[str, Callable[..., Any]] = {
    "locate": locate,
    "locate_at_worker": locate_at_worker,
    "take_cpu_time": take_cpu_time,
    "run": run,
    "run_loop": run_loop,
    "start": start,
    "start_bare": start_bare,
    "start_with_data": start_with_data,
    "sweep": sweep,
    "tell_time": tell_time,
    "order": order,
    "await_orders": await_orders,
    "send_handwritten": send_handwritten,
    "await_handwritten": await_handwritten,
    "measure_latency": measure_latency,
}

if __name__ == "__main__":
    main()
