"""What a step costs in one process: the floor, django-wfe and DBOS, taking turns on one PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from urllib.parse import quote

from benchmarks import dbos_environment
from benchmarks.contenders import Contender, build_engine
from benchmarks.counts import Counts
from benchmarks.database import Parameters, build_environment, open_database
from benchmarks.floor import Floor

Figures = dict[str, float]

STARTS = {"start_ms": "start_bare", "start_with_data_ms": "start_with_data"}
"""What is asked for each kind of start; they take turns of some milliseconds."""


def measure(server: Parameters, counts: Counts, *, with_dbos: bool) -> Figures:
    """Give the median milliseconds of a step, of each contender and length of job, and the ratios."""
    with ExitStack() as stack:
        database = stack.enter_context(open_database(server, "in_process"))
        floor = stack.enter_context(Floor(database))
        engine = stack.enter_context(build_engine(build_environment(database)))
        contenders = {"ours": engine}
        if with_dbos:
            dbos_database = stack.enter_context(open_database(server, "dbos", migrated=False))
            contenders["dbos"] = stack.enter_context(_build_dbos(dbos_database))
        taken = _take_turns(floor, contenders, counts)
    figures = {name: median(values) for name, values in taken.items()}
    pairs = zip(taken["start_with_data_ms"], taken["start_ms"], strict=True)
    figures["start_with_data_vs_without"] = median(with_data / without for with_data, without in pairs)
    figures["step_vs_floor"] = figures["ours_10_step_ms"] / figures["floor_step_ms"]
    figures["step_vs_floor_autocommit"] = figures["ours_10_step_ms"] / figures["floor_autocommit_step_ms"]
    if with_dbos:
        figures["step_vs_dbos"] = figures["ours_10_step_ms"] / figures["dbos_10_step_ms"]
    return figures


def _take_turns(floor: Floor, contenders: dict[str, Contender], counts: Counts) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {}
    for contender in contenders.values():
        contender.ask("run", steps=3, jobs=3)  # the first runs plan statements and fill caches
    for question in STARTS.values():
        contenders["ours"].ask(question, jobs=20)
    floor.run(20, autocommit=False)
    for turn in range(counts.rounds):
        for name, autocommit in (("floor_step_ms", False), ("floor_autocommit_step_ms", True)):
            taken.setdefault(name, []).append(floor.run(counts.floor_steps, autocommit=autocommit))
        for _ in range(counts.start_rounds):
            for name, question in STARTS.items():
                taken.setdefault(name, []).append(median(contenders["ours"].ask(question, jobs=counts.starts)))
        for steps, jobs in counts.jobs.items():
            if steps == max(counts.jobs) and turn >= counts.thousand_rounds:
                continue
            for name, contender in contenders.items():
                milliseconds = contender.ask("run", steps=steps, jobs=jobs)
                taken.setdefault(f"{name}_{steps}_step_ms", []).append(median(milliseconds) / steps)
    return taken


def _build_dbos(database: Parameters) -> Contender:
    python = dbos_environment.prepare()
    login = quote(database["user"]) + (f":{quote(database['password'], safe='')}" if database["password"] else "")
    host = quote(database["host"], safe="")
    url = f"postgresql://{login}@/{database['dbname']}?host={host}&port={database['port']}"
    runner = dbos_environment.FOLDER.parent / "benchmarks" / "dbos_runner.py"
    return Contender([str(python), str(runner), url], build_environment(database))
