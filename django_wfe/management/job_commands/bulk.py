"""Bulk runs: previewed, started, followed, shown, stopped."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from django_wfe.engine.access import has_permission, list_visible_bulk_items, list_visible_bulk_runs
from django_wfe.engine.lifecycle import VERBS, Source, preview_bulk, start_bulk, stop_bulk
from django_wfe.engine.queries.bulk_progress import BulkProgress, count_progress
from django_wfe.engine.recovery.liveness import list_live_workers
from django_wfe.exceptions import WFEException
from django_wfe.management.job_commands.output import Output, refuse
from django_wfe.models import BulkItem, BulkRun, Job
from django_wfe.values.identifiers import parse_id
from django_wfe.wording.bulk_stops import explain_stop

POLL_SECONDS = 0.5


def preview(output: Output, user: Any, verb: str, jobs: QuerySet[Job], *, expected_state: str | None) -> None:
    """Print what a bulk run would do now."""
    if not has_permission(user, VERBS[verb].permission):
        raise refuse(_("You need the permission “%(permission)s”.") % {"permission": VERBS[verb].permission})
    foreseen = preview_bulk(verb, jobs, expected_state=expected_state)
    left_alone = dict(foreseen.left_alone)
    output.give({"total": foreseen.total, "allowed": foreseen.allowed, "left_alone": left_alone})
    output.say(_("%(number)s jobs would be changed.") % {"number": foreseen.allowed})
    for reason, number in left_alone.items():
        output.say(_("%(number)s would be left alone: %(reason)s") % {"number": number, "reason": reason})


def start(
    output: Output,
    user: Any,
    verb: str,
    jobs: QuerySet[Job],
    *,
    arguments: dict[str, Any],
    reason: str,
    stop_on: str,
    stop_on_failure: bool,
    wait: bool,
) -> None:
    """Start a bulk run; follow it if that is asked for."""
    try:
        run = start_bulk(
            verb,
            jobs,
            options=arguments,
            actor=user,
            source=Source.COMMAND,
            reason=reason,
            stop_on_fingerprint=stop_on,
            stop_on_failure=stop_on_failure,
        )
    except WFEException as error:
        raise refuse(str(error)) from error
    output.say(_("Bulk run %(id)s: %(verb)s over %(total)s jobs.") % {"id": run.pk, "verb": verb, "total": run.total})
    if wait:
        follow(output, user, run.pk)
        _conclude(output, user, run.pk, limit=100)
        return
    output.give(_describe(run, count_progress(run, user)))
    output.say(_("Follow it with: manage.py wfe_job bulk %(id)s --wait") % {"id": run.pk})


def show(output: Output, user: Any, bulk: int, stop: bool, reason: str, wait: bool, limit: int, **options: Any) -> None:  # noqa: FBT001
    """Print how far a bulk run is and what came of each job; before that stop or follow it if that is asked for."""
    find_bulk_run(bulk, user)
    if stop:
        try:
            stop_bulk(bulk, actor=user, source=Source.COMMAND, reason=reason)
        except WFEException as error:
            raise refuse(str(error)) from error
    if wait:
        follow(output, user, bulk)
        _conclude(output, user, bulk, limit=limit)
        return
    _print(output, user, find_bulk_run(bulk, user), limit=limit)


def find_bulk_run(bulk_run_id: int, user: Any) -> BulkRun:
    """Return a bulk run that the user may see."""
    runs = list_visible_bulk_runs(user)
    run = runs.filter(pk=parse_id(bulk_run_id) or 0).first()
    if run is None:
        raise refuse(_("There is no bulk run %(id)s.") % {"id": bulk_run_id})
    return run


def follow(output: Output, user: Any, bulk_run_id: int) -> None:
    """Print each step forward of a bulk run until it has ended."""
    seen = ""
    if not list_live_workers().exists():
        output.note(_("No worker is alive: it begins when one is. Start one: manage.py rundramatiq."))
    while True:
        run = find_bulk_run(bulk_run_id, user)
        progress = count_progress(run, user)
        written = f"{progress.total - progress.pending}/{progress.total}"
        if written != seen:
            output.say(f"{run.state} {written}")
            seen = written
        if run.state not in BulkRun.LIVE_STATES:
            return
        time.sleep(POLL_SECONDS)


def _conclude(output: Output, user: Any, bulk_run_id: int, *, limit: int) -> None:
    run = find_bulk_run(bulk_run_id, user)
    _print(output, user, run, limit=limit)
    progress = count_progress(run, user)
    if run.state == BulkRun.State.STOPPED or progress.refused:
        values = {"done": progress.done, "total": progress.total, "reason": explain_stop(run)}
        raise refuse(_("%(done)s of %(total)s jobs done. %(reason)s") % values)


def _print(output: Output, user: Any, run: BulkRun, *, limit: int) -> None:
    items = list_visible_bulk_items(user, run).exclude(state=BulkItem.State.PENDING).order_by("id")
    rows = [
        {"job": item.job_id, "key": item.key, "state": item.state, "message": item.refusal} for item in items[:limit]
    ]
    progress = count_progress(run, user)
    output.give({**_describe(run, progress), "results": rows})
    output.say(
        _("Bulk run %(id)s (%(verb)s) is %(state)s: %(done)s done, %(refused)s left alone, %(pending)s to go.")
        % {
            "id": run.pk,
            "verb": run.verb,
            "state": run.state,
            "done": progress.done,
            "refused": progress.refused,
            "pending": progress.pending,
        }
    )
    if reason := explain_stop(run):
        output.say(reason)
    output.table([row["job"] or row["key"], row["state"], row["message"]] for row in rows)


def _describe(run: BulkRun, progress: BulkProgress) -> dict[str, Any]:
    return {
        "bulk_run": run.pk,
        "verb": run.verb,
        "state": run.state,
        "stop_reason": explain_stop(run),
        "total": progress.total,
        "done": progress.done,
        "refused": progress.refused,
        "pending": progress.pending,
    }
