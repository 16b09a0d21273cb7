"""Bulk runs: previewed, started, followed, shown, stopped."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from django_wfe.engine.explain import list_live_workers
from django_wfe.engine.lifecycle import VERBS, Source, preview_bulk, start_bulk, stop_bulk
from django_wfe.engine.rights import has_permission, list_visible_jobs
from django_wfe.exceptions import WFEException
from django_wfe.management.job_commands.choosing import is_id
from django_wfe.management.job_commands.output import Output, refuse
from django_wfe.models import BulkItem, BulkRun, Job

POLL_SECONDS = 0.5
LIVE = (BulkRun.State.WAITING, BulkRun.State.RUNNING)


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
    wait: bool,
) -> None:
    """Start a bulk run; follow it where that is asked for."""
    try:
        run = start_bulk(
            verb,
            jobs,
            options=arguments,
            actor=user,
            source=Source.COMMAND,
            reason=reason,
            stop_on_fingerprint=stop_on,
        )
    except WFEException as error:
        raise refuse(str(error)) from error
    output.say(_("Bulk run %(id)s: %(verb)s over %(total)s jobs.") % {"id": run.pk, "verb": verb, "total": run.total})
    if wait:
        follow(output, run.pk)
        _conclude(output, user, run.pk, limit=100)
        return
    output.give(_describe(BulkRun.objects.get(pk=run.pk)))
    output.say(_("Follow it with: manage.py wfe_job bulk %(id)s --wait") % {"id": run.pk})


def show(output: Output, user: Any, bulk: int, stop: bool, reason: str, wait: bool, limit: int, **options: Any) -> None:  # noqa: FBT001
    """Print how far a bulk run is and what came of each job; before that stop or follow it where that is asked for."""
    run = BulkRun.objects.filter(pk=bulk).first() if is_id(bulk) else None
    if run is None or not may_see(user, run):
        raise refuse(_("There is no bulk run %(id)s.") % {"id": bulk})
    if stop:
        try:
            stop_bulk(bulk, actor=user, reason=reason)
        except WFEException as error:
            raise refuse(str(error)) from error
    if wait:
        follow(output, bulk)
        _conclude(output, user, bulk, limit=limit)
        return
    _print(output, user, BulkRun.objects.get(pk=bulk), limit=limit)


def may_see(user: Any, run: BulkRun) -> bool:
    """Tell whether a user may see a bulk run: one of their own, or any with the permission for it."""
    return user is None or run.actor_id == user.pk or has_permission(user, "django_wfe.view_bulkrun")


def follow(output: Output, bulk_run_id: int) -> None:
    """Print each step forward of a bulk run until it has ended."""
    seen = ""
    if not list_live_workers().exists():
        output.note(_("No worker is alive: it begins when one is. Start one: manage.py rundramatiq."))
    while True:
        run = BulkRun.objects.get(pk=bulk_run_id)
        counts = _count(run)
        progress = f"{run.total - counts[BulkItem.State.PENDING]}/{run.total}"
        if progress != seen:
            output.say(f"{run.state} {progress}")
            seen = progress
        if run.state not in LIVE:
            return
        time.sleep(POLL_SECONDS)


def _conclude(output: Output, user: Any, bulk_run_id: int, *, limit: int) -> None:
    run = BulkRun.objects.get(pk=bulk_run_id)
    _print(output, user, run, limit=limit)
    counts = _count(run)
    if run.state == BulkRun.State.STOPPED or counts[BulkItem.State.REFUSED]:
        values = {"done": counts[BulkItem.State.DONE], "total": run.total, "reason": run.stop_reason}
        raise refuse(_("%(done)s of %(total)s jobs done. %(reason)s") % values)


def _print(output: Output, user: Any, run: BulkRun, *, limit: int) -> None:
    items = run.items.exclude(state=BulkItem.State.PENDING).filter(job__in=list_visible_jobs(user)).order_by("id")
    rows = list(items.values("job", "state", "message")[:limit])
    output.give({**_describe(run), "results": rows})
    counts = _count(run)
    output.say(
        _("Bulk run %(id)s (%(verb)s) is %(state)s: %(done)s done, %(refused)s left alone, %(pending)s to go.")
        % {
            "id": run.pk,
            "verb": run.verb,
            "state": run.state,
            "done": counts[BulkItem.State.DONE],
            "refused": counts[BulkItem.State.REFUSED],
            "pending": counts[BulkItem.State.PENDING],
        }
    )
    if run.stop_reason:
        output.say(run.stop_reason)
    output.table([row["job"], row["state"], row["message"]] for row in rows)


def _describe(run: BulkRun) -> dict[str, Any]:
    counts = _count(run)
    return {
        "bulk_run": run.pk,
        "verb": run.verb,
        "state": run.state,
        "stop_reason": run.stop_reason,
        "total": run.total,
        "done": counts[BulkItem.State.DONE],
        "refused": counts[BulkItem.State.REFUSED],
        "pending": counts[BulkItem.State.PENDING],
    }


def _count(run: BulkRun) -> dict[str, int]:
    counted = dict(run.items.order_by().values_list("state").annotate(number=Count("pk")))
    return {state.value: counted.get(state.value, 0) for state in BulkItem.State}
