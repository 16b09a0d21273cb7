"""Whether a step costs more in a long job, or in tables that hold a million jobs."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from benchmarks.bulk import insert_finished, insert_live, refresh_live
from benchmarks.contenders import Contender, build_engine
from benchmarks.counts import Counts
from benchmarks.database import Parameters, build_environment, execute, open_database

WINDOW = 20
"""So many steps around the 10th and at the 1,000th are looked at in each job."""

STEPS = 10

Figures = dict[str, float]


def measure(server: Parameters, counts: Counts) -> Figures:
    """Give the figures of both kinds of growth, and of a sweep."""
    with ExitStack() as stack:
        empty = stack.enter_context(open_database(server, "empty"))
        full = stack.enter_context(open_database(server, "million"))
        in_empty = stack.enter_context(build_engine(build_environment(empty)))
        in_full = stack.enter_context(build_engine(build_environment(full)))
        for engine in (in_empty, in_full):
            engine.ask("run", steps=STEPS, jobs=3)  # records the definitions
        figures = _measure_long_jobs(in_empty, counts)
        insert_finished(full, counts.finished_jobs)
        for database in (empty, full):
            execute(database, "VACUUM ANALYZE", "CHECKPOINT")
        figures |= _measure_full_tables(in_empty, in_full, counts)
        insert_live(full, counts.live_jobs)
        execute(full, "VACUUM ANALYZE", "CHECKPOINT")
        in_full.ask("sweep", times=3)
        refresh_live(full)
        figures["sweep_ms"] = median(in_full.ask("sweep", times=counts.sweeps))
    return figures


def _measure_long_jobs(engine: Contender, counts: Counts) -> Figures:
    early: list[float] = []
    late: list[float] = []
    engine.ask("run_loop")
    for _ in range(counts.loops):
        milliseconds = engine.ask("run_loop")
        early += milliseconds[:WINDOW]
        late += milliseconds[-WINDOW:]
    figures = {"step10_ms": median(early), "step1000_ms": median(late)}
    return {**figures, "step1000_vs_step10": figures["step1000_ms"] / figures["step10_ms"]}


def _measure_full_tables(in_empty: Contender, in_full: Contender, counts: Counts) -> Figures:
    taken: dict[str, list[float]] = {}
    for turn in range(-1, counts.growth_rounds):
        for name, engine in (("empty", in_empty), ("million", in_full)):
            started = engine.ask("start", jobs=counts.growth_jobs)
            ran = engine.ask("run", steps=STEPS, jobs=counts.growth_jobs)
            if turn >= 0:  # the first turn brings pages into memory
                taken.setdefault(f"{name}_start_ms", []).append(median(started))
                taken.setdefault(f"{name}_step_ms", []).append(median(ran) / STEPS)
    figures = {name: median(values) for name, values in taken.items()}
    figures["million_start_vs_empty"] = figures["million_start_ms"] / figures["empty_start_ms"]
    figures["million_step_vs_empty"] = figures["million_step_ms"] / figures["empty_step_ms"]
    figures["million_vs_empty"] = max(figures["million_start_vs_empty"], figures["million_step_vs_empty"])
    return figures
