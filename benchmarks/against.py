"""``python -m benchmarks.against REF``: this checkout and another commit of its repository, measured in turns.

Both run on one PostgreSQL, each with its own tables in a database of its own, and take turns of some milliseconds, so
that whatever else the machine does meets both alike. What is told is the ratio of this checkout to the commit: above 1,
this checkout is slower.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.database import Parameters, add_server_options, choose_server, open_server
from benchmarks.machine import describe_machine
from benchmarks.ratios import ENOUGH, Comparison, Pair, compare
from benchmarks.report import name_machine
from benchmarks.sides import Running, Side, UnusableReference, describe_checkout, open_sides, read_commit

STEPS = 10
"""The steps of a job, in process and over the broker."""

LABELS = {
    "start": "Start of a job, ms",
    "step": "Step in one process, ms",
    "broker": "Step over RabbitMQ, ms",
    "start_cpu": "Start of a job, CPU of this process, ms",
    "step_cpu": "Step in one process, CPU of this process, ms",
}
LIMITED = ("start", "step", "broker")
"""What a limit is held against. Times of the CPU are told besides: they leave the database out, and are calmer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    lots: int = 8
    """How often all processes and databases are made anew."""
    rounds: int = 400
    """Pairs of a lot in which jobs are started, and run in one process."""
    starts: int = 5
    jobs: int = 1
    broker_rounds: int = 24
    """Pairs of a lot over the broker."""
    broker_jobs: int = 100


SMALL = Extent(lots=2, rounds=3, starts=2, jobs=1, broker_rounds=2, broker_jobs=4)

Lots = dict[str, list[list[Pair]]]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return the exit code: 1 if a ratio is over the limit, 2 if the commit cannot be measured."""
    options = _parse(arguments)
    # Whoever is asked to end still has a worktree, databases and queues to remove.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    extent = SMALL if options.quick else Extent(lots=options.lots)
    try:
        reference = read_commit(options.reference)
        with ExitStack() as stack:
            temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wfe-bench-against-")))
            server = stack.enter_context(open_server(choose_server(options)))
            sides = stack.enter_context(open_sides(server, reference, temporary))
            lots = _measure(server, sides, extent, None if options.without_broker else options.rabbitmq)
    except UnusableReference as error:
        print(error, file=sys.stderr)
        return 2
    comparisons = {name: compare(lots[name]) for name in LABELS if name in lots}
    over = [name for name in LIMITED if name in comparisons and _is_over(comparisons[name], options.limit)]
    if options.json:
        figures = {name: asdict(comparison) for name, comparison in comparisons.items()}
        print(json.dumps({"this": describe_checkout(), "reference": reference, "limit": options.limit, **figures}))
    else:
        print(_render(comparisons, reference[:10], options.limit, over))
    return 1 if over else 0


def _measure(server: Parameters, sides: tuple[Side, Side], extent: Extent, broker_url: str | None) -> Lots:
    lots: Lots = {}
    for number in range(extent.lots):
        print(f"Lot {number + 1} of {extent.lots} ...", file=sys.stderr, flush=True)
        with ExitStack() as stack:
            running = [stack.enter_context(side.run(server, number, broker_url)) for side in sides]
            pairs: dict[str, list[Pair]] = {}
            _take_turns(running, _start_jobs, extent.starts, extent.rounds, pairs)
            _take_turns(running, _run_jobs, extent.jobs, extent.rounds, pairs)
            if broker_url is not None:
                _take_turns(running, _drain_backlog, extent.broker_jobs, extent.broker_rounds, pairs)
        for name, found in pairs.items():
            lots.setdefault(name, []).append(found)
    return lots


Turn = Callable[[Running, int], dict[str, float]]


def _take_turns(running: list[Running], turn: Turn, amount: int, rounds: int, pairs: dict[str, list[Pair]]) -> None:
    this, reference = running
    for side in running:
        turn(side, amount)  # the first turn opens connections, plans statements and fills caches
    for number in range(rounds):
        # Who comes second finds the machine as the other left it, so each comes second as often.
        order = (this, reference) if number % 2 == 0 else (reference, this)
        taken = {id(side): turn(side, amount) for side in order}
        for name, value in taken[id(this)].items():
            pairs.setdefault(name, []).append(Pair(value, taken[id(reference)][name]))


def _start_jobs(side: Running, jobs: int) -> dict[str, float]:
    answer = side.engine.ask("take_cpu_time", command="start", arguments={"jobs": jobs})
    return {"start": median(answer["answer"]), "start_cpu": answer["cpu_ms"] / jobs}


def _run_jobs(side: Running, jobs: int) -> dict[str, float]:
    answer = side.engine.ask("take_cpu_time", command="run", arguments={"steps": STEPS, "jobs": jobs})
    return {"step": median(answer["answer"]) / STEPS, "step_cpu": answer["cpu_ms"] / (jobs * STEPS)}


def _drain_backlog(side: Running, jobs: int) -> dict[str, float]:
    assert side.pipeline is not None
    return {"broker": 1000 / (side.pipeline.run(STEPS, jobs, backlog=True) * STEPS)}


def _is_over(comparison: Comparison, limit: float | None) -> bool:
    return limit is not None and comparison.ratio > limit


def _render(comparisons: dict[str, Comparison], reference: str, limit: float | None, over: list[str]) -> str:
    lines = [
        f"This checkout ({describe_checkout()}) against {reference}, on {name_machine(describe_machine())}",
        "",
        f"| | this | {reference} | ratio | standard error | middle half of the pairs |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in comparisons.items():
        lines.append(
            f"| {LABELS[name]} | {found.this:.3f} | {found.reference:.3f} | {found.ratio:.3f} "
            f"| {found.error:.2%} | {found.lower:.2f} to {found.upper:.2f} |"
        )
    lines.append("")
    for name, found in comparisons.items():
        if found.error > ENOUGH:
            lines.append(
                f"{_name(name)}: the standard error is above {ENOUGH:.1%}. "
                "Let the machine be quiet, or measure more lots (--lots)."
            )
    for name in over:
        lines.append(
            f"{LABELS[name].removesuffix(', ms')}: {comparisons[name].ratio:.3f} is over the limit of {limit:g}."
        )
    if limit is not None and not over:
        lines.append(f"No ratio is over the limit of {limit:g}.")
    return "\n".join(lines).rstrip()


def _name(figure: str) -> str:
    return LABELS[figure].removesuffix(", ms")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("reference", help="the other commit: anything that git takes for one")
    parser.add_argument(
        "--limit", type=float, metavar="RATIO", help="exit with 1 if a ratio is over this, such as 1.04"
    )
    parser.add_argument("--lots", type=_read_lots, default=Extent().lots, help="how often all processes are made anew")
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it runs, not how fast")
    parser.add_argument("--without-broker", action="store_true", help="leave the step over RabbitMQ out")
    add_server_options(parser)
    return parser.parse_args(arguments)


def _read_lots(text: str) -> int:
    lots = int(text)
    if lots < 2:
        raise argparse.ArgumentTypeError(f"{text} is too few: the error is told from the spread of at least 2 lots.")
    return lots


if __name__ == "__main__":
    sys.exit(main())
