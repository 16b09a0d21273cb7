"""Showing jobs."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from django_wfe.engine.access import may_view_data
from django_wfe.engine.lifecycle import explain_job, list_verbs
from django_wfe.engine.queries.found_by import write_attribute, write_subject
from django_wfe.engine.rules.start_rules import explain_no_workflows
from django_wfe.management.job_commands.choosing import choose_jobs, find_job
from django_wfe.management.job_commands.output import Output
from django_wfe.models import Job
from django_wfe.values.moments import localize

RUNS_SHOWN = 50
EVENTS_SHOWN = 50


def show(output: Output, user: Any, job: int, **options: Any) -> None:
    """Print a job: where it stands, why, what can be done, its latest step runs and events."""
    row = find_job(job, user)
    may_see_data = may_view_data(user, row)
    explanation = explain_job(row, with_data=may_see_data)
    verbs = [{"verb": status.verb.name, "reason": status.reason} for status in list_verbs(row, user)]
    runs = _list_runs(row, may_see_data=may_see_data)
    events = list(row.events.order_by("-id").values("created_at", "kind", "actor_name", "source")[:EVENTS_SHOWN])[::-1]
    data = {
        **describe(row),
        "error": row.error if may_see_data else None,
        "why": {"code": explanation.code, "sentence": explanation.sentence, "way_out": explanation.way_out},
        "verbs": verbs,
        "step_runs": runs,
        "events": events,
    }
    output.give(data)
    output.say(f"{row} {row.state} {row.current_step}")
    found_by = [write_attribute(name, value) for name, value in data["attributes"].items()]
    if data["subject"] is not None:
        found_by.insert(0, data["subject"])
    if found_by:
        output.say(", ".join(found_by))
    output.say(explanation.sentence)
    if explanation.way_out:
        output.say(_("Way out: %(way_out)s") % {"way_out": explanation.way_out})
    allowed = ", ".join(verb["verb"] for verb in verbs if not verb["reason"]) or _("nothing")
    output.say(_("Possible: %(verbs)s") % {"verbs": allowed})
    output.say("")
    output.table(
        [f"{run['number']}.{run['attempt']}", run["state"], run["step"], _write_time(run["finished_at"])]
        for run in runs
    )
    output.say("")
    output.table(
        [_write_time(event["created_at"]), event["kind"], event["source"], event["actor_name"]] for event in events
    )


def list_jobs(output: Output, user: Any, *, limit: int, **options: Any) -> None:
    """Print the newest jobs that match."""
    jobs = choose_jobs(
        user,
        states=options["state"],
        workflows=options["workflow"],
        incident=options["incident"],
        attributes=options["attribute"],
        subject=options["subject"],
    )
    jobs = jobs.select_related("workflow").prefetch_related("attribute_rows").defer("error")
    rows = list(jobs.order_by("-pk")[:limit])
    output.give([describe(job) for job in rows])
    output.table([job.pk, job.state, job.workflow.name, job.current_step, _write_time(job.created_at)] for job in rows)
    if not rows:
        output.say(f"{_('No jobs.')} {explain_no_workflows()}".rstrip())


def describe(job: Job) -> dict[str, Any]:
    """Return where a job stands, without its data."""
    return {
        "id": job.pk,
        "uuid": str(job.uuid),
        "workflow": job.workflow.path,
        "key": job.key,
        "subject": write_subject(job.subject) if job.subject is not None else None,
        "attributes": job.attributes,
        "state": job.state,
        "current_step": job.current_step,
        "current_step_number": job.current_step_number,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def _list_runs(job: Job, *, may_see_data: bool) -> list[dict[str, Any]]:
    columns = ["number", "attempt", "step", "state", "superseded", "started_at", "finished_at", "error_type"]
    if may_see_data:
        columns.append("error")
    return list(job.step_runs.order_by("-number", "-attempt").values(*columns)[:RUNS_SHOWN])[::-1]


def _write_time(moment: Any) -> str:
    return localize(moment).isoformat(sep=" ", timespec="seconds") if moment else ""
