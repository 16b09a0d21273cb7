"""How long a step waits for a worker that is idle: after a start, and after an input."""

from __future__ import annotations

import os
from contextlib import ExitStack
from statistics import median, quantiles

from benchmarks.broker import delete_queues, run_workers
from benchmarks.contenders import build_engine
from benchmarks.counts import Counts
from benchmarks.database import Parameters, build_environment, open_database

THREADS = 8

Figures = dict[str, float]


def measure(server: Parameters, url: str, counts: Counts) -> Figures:
    """Give p50 and p95 in milliseconds, over RabbitMQ, with one worker process of 8 threads."""
    queue = f"wfe_benchmark_{os.getpid()}_latency"
    with ExitStack() as stack:
        database = stack.enter_context(open_database(server, "latency"))
        stack.callback(delete_queues, url, queue)
        environment = build_environment(database, WFE_BENCH_BROKER_URL=url, WFE_BENCH_QUEUE=queue)
        engine = stack.enter_context(build_engine(environment))
        stack.enter_context(run_workers(["django", "rundramatiq"], environment, 1, THREADS))
        engine.ask("measure_latency", samples=THREADS, pause=counts.latency_pause)  # each thread connects once
        taken = engine.ask("measure_latency", samples=counts.latency_samples, pause=counts.latency_pause)
    figures: Figures = {}
    for name, values in (("order_to_first_step", taken["order"]), ("input_to_next_step", taken["input"])):
        figures[f"{name}_p50_ms"] = median(values)
        figures[f"{name}_p95_ms"] = quantiles(values, n=20, method="inclusive")[-1]
    return figures
