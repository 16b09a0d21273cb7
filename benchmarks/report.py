"""The figures as a table for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

GOALS = {
    "step_vs_floor": "at most 2.0",
    "step_vs_dbos": "at most 0.4",
    "broker3_vs_handwritten": "at least 1.0",
    "broker10_vs_handwritten": "at least 1.3",
    "start_with_data_vs_without": "at most 1.1",
    "broker3_with_starts_vs_handwritten": "at least 1.0",
    "order_to_first_step_p50_ms": "at most 20",
    "step1000_vs_step10": "at most 1.1",
    "million_vs_empty": "at most 1.1",
    "sweep_ms": "at most 50",
}

ROWS = (
    ("In one process", ""),
    ("Floor: one statement, one commit, ms per step", "floor_step_ms"),
    ("The same in autocommit, one round trip, ms per step", "floor_autocommit_step_ms"),
    *((f"django-wfe, job of {steps:,} steps, ms per step", f"ours_{steps}_step_ms") for steps in (3, 10, 50, 1000)),
    *((f"DBOS, workflow of {steps:,} steps, ms per step", f"dbos_{steps}_step_ms") for steps in (3, 10, 50, 1000)),
    ("Start of a job, ms", "start_ms"),
    ("Start of a job with input and two attributes, ms", "start_with_data_ms"),
    ("Start with input and attributes to one without", "start_with_data_vs_without"),
    ("django-wfe to the floor, 10 steps", "step_vs_floor"),
    ("django-wfe to the floor in autocommit, 10 steps", "step_vs_floor_autocommit"),
    ("django-wfe to DBOS, 10 steps", "step_vs_dbos"),
    ("Over RabbitMQ, 2 processes of 8 threads", ""),
    *(
        (f"{label}, jobs of {steps} steps, {unit} per second", f"{name}_broker{steps}_{unit}_per_s")
        for steps in (3, 10)
        for name, label in (("ours", "django-wfe"), ("handwritten", "Hand-written Dramatiq"))
        for unit in ("jobs", "steps")
    ),
    ("django-wfe to hand-written, 3 steps", "broker3_vs_handwritten"),
    ("django-wfe to hand-written, 10 steps", "broker10_vs_handwritten"),
    *(
        (
            f"{label}, starts counted, jobs of {steps} steps, jobs per second",
            f"{name}_broker{steps}_with_starts_jobs_per_s",
        )
        for steps in (3, 10)
        for name, label in (("ours", "django-wfe"), ("handwritten", "Hand-written Dramatiq"))
    ),
    ("django-wfe to hand-written, starts counted, 3 steps", "broker3_with_starts_vs_handwritten"),
    ("django-wfe to hand-written, starts counted, 10 steps", "broker10_with_starts_vs_handwritten"),
    ("Latency on an idle system, one process of 8 threads", ""),
    ("Start to first step, p50, ms", "order_to_first_step_p50_ms"),
    ("Start to first step, p95, ms", "order_to_first_step_p95_ms"),
    ("Input to next step, p50, ms", "input_to_next_step_p50_ms"),
    ("Input to next step, p95, ms", "input_to_next_step_p95_ms"),
    ("Growth", ""),
    ("A step at the beginning of a long job, ms", "step10_ms"),
    ("A step at its 1,000th, ms", "step1000_ms"),
    ("Step 1,000 to step 10", "step1000_vs_step10"),
    ("Start of a job, empty tables, ms", "empty_start_ms"),
    ("Start of a job, 1,000,000 finished jobs, ms", "million_start_ms"),
    ("A step, empty tables, ms", "empty_step_ms"),
    ("A step, 1,000,000 finished jobs, ms", "million_step_ms"),
    ("1,000,000 jobs to empty tables, the worse of start and step", "million_vs_empty"),
    ("A sweep, 1,000,000 finished and 10,000 live jobs, ms", "sweep_ms"),
)


def render_table(results: dict[str, Any]) -> str:
    """Give the figures that are there as a Markdown table, with a line about the machine and the versions."""
    lines = ["| | measured | goal |", "| --- | ---: | --- |"]
    for label, name in ROWS:
        if not name:
            lines.append(f"| **{label}** | | |")
        elif name in results:
            lines.append(f"| {label} | {_format(results[name])} | {GOALS.get(name, '')} |")
    versions = ", ".join(f"{k} {v}" for k, v in results["versions"].items())
    return "\n".join(
        [
            name_machine(results["machine"]),
            f"{versions}.",
            "",
            *lines,
        ]
    )


def name_machine(machine: dict[str, Any]) -> str:
    """Give what ``describe_machine`` found as a line."""
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB memory, {machine['system']}."


def write_page(path: Path, table: str, *, place: str = "figures") -> None:
    """Put a table into the page, in place of the one between the two markers of ``place``."""
    begin, end = f"<!-- {place} -->\n", f"<!-- end of {place} -->"
    page = path.read_text()
    if begin not in page or end not in page:
        raise ValueError(f"{path} lacks the markers {begin.strip()!r} and {end!r}, between which the table goes.")
    before, _, rest = page.partition(begin)
    path.write_text(f"{before}{begin}\n{table}\n\n{end}{rest.partition(end)[2]}")


def _format(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
