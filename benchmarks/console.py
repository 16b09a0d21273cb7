"""How long the pages of the console take, in tables of years of use: ``python -m benchmarks.console``.

The tables are filled twice, with the usual mix and with that of the worst day; from ``ONE_MIX_FROM`` jobs on only the
former is asked for.

Server side: each request goes through Django's test client in this process, middleware, queries and templates included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.console_rows import MIXES
from benchmarks.database import Parameters, build_environment, open_database, open_server
from benchmarks.machine import describe_machine
from benchmarks.report import name_machine, write_page

LIST_LIMIT_MS = 150
BACKLOG = "Statistics, counting the backlog"
LIMITS_MS = {
    "Job of 10,000": 400,
    "Job list by": 50,
    BACKLOG: 300_000,  # for each million jobs
    "Statistics, counting": 200,
}
"""The limits of what is no usual page, by how its name begins."""

LONG_JOB_RUNS = 10_000
OLD_FINGERPRINT = "0" * 64
"""Of an old version, which the first of a hundred jobs have."""

JOBS_A_MINUTE = 200
ROUNDS = 20
ONE_MIX_FROM = 5_000_000

Figures = dict[str, dict[str, float]]


def main() -> None:
    """Fill a database, measure each page in a process of its own, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--mix", choices=list(MIXES), help="default: each; of ten million jobs only the usual one")
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page with the table to this file")
    parser.add_argument("--measure", metavar="DATABASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(json.loads(options.measure), options.jobs, options.mix, options.requests)))
        return
    is_large = options.jobs >= ONE_MIX_FROM
    mixes = [options.mix] if options.mix else ["usual"] if is_large else list(MIXES)
    found: dict[str, Figures] = {}
    with open_server(None) as server:
        for mix in mixes:
            found[mix] = _measure_apart(server, mix, options.jobs, options.requests)
    tables = {mix: format_table(figures, mix, options.jobs, options.requests) for mix, figures in found.items()}
    machine = name_machine(describe_machine())
    if options.write:
        for mix, table in tables.items():
            place = f"console {mix}, large" if is_large else f"console {mix}"
            write_page(options.write, f"{machine}\n{table}", place=place)
    print(json.dumps(found) if options.json else "\n\n".join([machine, *tables.values()]))


def _measure_apart(server: Parameters, mix: str, jobs: int, requests: int) -> Figures:
    with open_database(server, "console", migrated=False) as database:
        environment = build_environment(database, DJANGO_SETTINGS_MODULE="benchmarks.console_settings")
        migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=environment, check=True, stdout=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.console", "--measure", json.dumps(database), "--mix", mix]
        command += ["--jobs", str(jobs), "--requests", str(requests)]
        measured = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(measured.stdout)
    return figures


def format_table(figures: Figures, mix: str, jobs: int, requests: int) -> str:
    """Give the figures as a Markdown table."""
    lines = [
        f"{jobs:,} jobs, {5 * jobs:,} step runs and {3 * jobs:,} attributes.",
        f"{requests} requests a page, on the server's side.",
        MIXES[mix].words,
        "",
        "| page | p50 ms | p95 ms | at most |",
        "|---|---|---|---|",
    ]
    for page, figure in figures.items():
        limit = next((limit for start, limit in LIMITS_MS.items() if page.startswith(start)), LIST_LIMIT_MS)
        if page.startswith(BACKLOG):
            limit = limit * jobs // 1_000_000
        lines.append(f"| {page} | {figure['p50']:.0f} | {figure['p95']:.0f} | {limit} |")
    return "\n".join(lines)


def _measure(database: Parameters, jobs: int, mix: str, requests: int) -> Figures:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.test import Client

    from benchmarks.console_rows import fill, insert_long_job, insert_more_jobs
    from benchmarks.database import execute
    from benchmarks.workflows import Chain10
    from django_wfe import run_workflow
    from django_wfe.models import Definition

    run_workflow(Chain10)  # records the workflow and its definition
    old = Definition.objects.get(workflow__name="Chain10")
    Definition.objects.create(workflow_id=old.workflow_id, fingerprint=OLD_FINGERPRINT, graph=old.graph)
    began = time.perf_counter()
    fill(database, jobs, mix)
    print(f"{mix}: {jobs:,} jobs in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    long_job = insert_long_job(database, LONG_JOB_RUNS)
    execute(database, "CHECKPOINT")
    figures: Figures = {}
    backlog = _count_all()
    print(f"Backlog of the statistics: {backlog / 1000:.0f} s", file=sys.stderr)
    figures[f"{BACKLOG} of {jobs:,} jobs"] = {"p50": backlog, "p95": backlog}
    rounds = []
    for _ in range(ROUNDS):
        insert_more_jobs(database, JOBS_A_MINUTE)
        rounds.append(_count_all())
    figures[f"Statistics, counting {JOBS_A_MINUTE} more jobs"] = _sum_up(rounds)
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    for page, address in _list_pages(jobs, long_job).items():
        taken = [_get(client, address) for _ in range(requests + 2)][2:]
        figures[page] = _sum_up(taken)
        print(f"{page}: {figures[page]['p95']:.0f} ms", file=sys.stderr)
    return figures


def _count_all() -> float:
    """Let the statistics count what is there; return how long that took, in milliseconds."""
    from django_wfe.engine.statistics.rollup import roll_up

    began = time.perf_counter()
    while roll_up():
        pass
    return (time.perf_counter() - began) * 1000


def _sum_up(taken: list[float]) -> dict[str, float]:
    return {"p50": median(taken), "p95": quantiles(taken, n=20)[18]}


def _list_pages(jobs: int, long_job: int) -> dict[str, str]:
    from django.db.models import Max
    from django.urls import reverse

    from django_wfe.engine.lifecycle import rerun_job
    from django_wfe.engine.worker.loop import run_step_run
    from django_wfe.models import Definition, Job, StepRun, Workflow

    old = Definition.objects.get(fingerprint=OLD_FINGERPRINT).pk
    workflow, definition = Workflow.objects.values_list("pk", "current_definition").get(name="Chain10")
    middle = Job.objects.get(pk=jobs // 2).created_at.date()
    day, year = middle.isoformat(), (middle - timedelta(days=365)).isoformat()
    # A job of 20 step runs: ten steps, run again from the first.
    twenty = Job.objects.filter(step_runs__number=10).exclude(pk=long_job).get().pk
    rerun_job(twenty, 1)
    run_step_run(StepRun.objects.filter(job=twenty).aggregate(Max("pk"))["pk__max"])
    runs = StepRun.objects.filter(job=twenty, number__gt=0).count()
    assert runs == 20, f"the job has {runs} step runs besides its start"
    job_list = reverse("admin:django_wfe_job_changelist")
    statistics = reverse("admin:django_wfe_statistics")
    failed, kind = StepRun.objects.filter(job__state="FAILED", state="FAILED").values_list("job", "fingerprint")[0]
    return {
        "Admin index": reverse("admin:index"),
        "Console home": reverse("admin:django_wfe_console"),
        "Job list": job_list,
        "Job list, failed": f"{job_list}?state=FAILED",
        "Job list, canceled": f"{job_list}?state=CANCELED",
        "Job list, open, one workflow": f"{job_list}?state=open&workflow={workflow}",
        "Job list, found by key": f"{job_list}?q=order-{jobs // 2}",
        "Job list, half its length back": f"{job_list}?after={jobs // 2}",
        "Job list, of one day": f"{job_list}?from={day}&to={day}",
        "Job list, failed, of a year": f"{job_list}?from={year}&to={day}&state=FAILED",
        "Job list, of one definition": f"{job_list}?definition={definition}",
        "Job list, open, of an old definition": f"{job_list}?definition={old}&state=open",
        "Job list, of one incident": f"{job_list}?incident={kind}",
        "Job list by attribute, few jobs": f"{job_list}?attribute=customer=customer 77",
        "Job list by attribute, most jobs": f"{job_list}?attribute=region=south",
        "Job list by attribute, old jobs alone": f"{job_list}?attribute=region=north",
        "Job list by attribute, failed": f"{job_list}?attribute=region=south&state=FAILED",
        "Job list by two attributes": f"{job_list}?attribute=region=south&attribute=customer=customer 77",
        "Job list by subject": f"{job_list}?subject=auth.user:55",
        "Step run list": reverse("admin:django_wfe_steprun_changelist"),
        "Step run list, of one day": f"{reverse('admin:django_wfe_steprun_changelist')}?from={day}&to={day}",
        "Event list": reverse("admin:django_wfe_jobevent_changelist"),
        "Event list, of one day": f"{reverse('admin:django_wfe_jobevent_changelist')}?from={day}&to={day}",
        "Workflow page": reverse("admin:django_wfe_workflow_change", args=[workflow]),
        "Statistics, 24 hours": f"{statistics}?period=24h",
        "Statistics, 7 days": statistics,
        "Statistics, 90 days": f"{statistics}?period=90d",
        "Statistics, 7 days, one workflow": f"{statistics}?workflow={workflow}",
        "Statistics, 90 days, one workflow": f"{statistics}?period=90d&workflow={workflow}",
        "Inbox": reverse("admin:django_wfe_inbox"),
        "Incidents": reverse("admin:django_wfe_incidents"),
        "Incident": reverse("admin:django_wfe_incident", args=[kind]),
        "Job that failed": reverse("admin:django_wfe_job_change", args=[failed]),
        "Job of 20 step runs": reverse("admin:django_wfe_job_change", args=[twenty]),
        "Job of 10,000 step runs": reverse("admin:django_wfe_job_change", args=[long_job]),
    }


def _get(client: Any, address: str) -> float:
    began = time.perf_counter()
    response = client.get(address)
    taken = (time.perf_counter() - began) * 1000
    if response.status_code != 200:
        raise RuntimeError(f"GET {address} gives {response.status_code}: {response.content[:500]!r}")
    return taken


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.console_settings")
    main()
