"""One verb over many Jobs, in the background: tracked, resumable, with a result for each Job."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.db.models.functions import Coalesce, Now
from pydantic import ValidationError

from django_wfe.conf import DATABASE, settings
from django_wfe.definition.texts import make_storable
from django_wfe.engine.access import count_shares, is_whole, list_visible_bulk_runs, name_actor, require_permission
from django_wfe.engine.bulk.entries import Entry, insert_entries, insert_jobs
from django_wfe.engine.bulk.stages import LOOK_AGAIN_SECONDS, count_room, find_returned, is_free
from django_wfe.engine.delivery.dispatcher import Message, send
from django_wfe.engine.errors.invalid_input import list_problems
from django_wfe.engine.inputs.secret_schemas import seal_options
from django_wfe.engine.operations.verbs.base import BulkVerb, Verb, telling_defects
from django_wfe.engine.operations.verbs.registry import VERBS, find_verb, get_bulk_verb
from django_wfe.engine.rules.verb_rules import Situation
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import PermissionRequired, UnknownBulkRun, WFEException, WrongState
from django_wfe.models import BulkEvent, BulkItem, BulkRun, Definition, Job, JobEvent, StepRun, StepRunState, Workflow
from django_wfe.models.jobs import name_job_state
from django_wfe.values.sealing import unseal
from django_wfe.values.sentences import gettext as _
from django_wfe.values.sentences import keep, read_error, write_english

BATCH = 50
"""How many Jobs are taken on between two looks at the clock and at the state of the bulk run."""

RESUME_SECONDS = 30
"""After how long a bulk run that nobody works on is taken up again."""

logger = logging.getLogger("django_wfe.bulk")


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What a verb would do to many Jobs: how many it would change, and how many it would leave alone, by reason."""

    total: int
    allowed: int
    left_alone: Mapping[str, int] = field(default_factory=dict)


def preview_bulk(verb: str, jobs: QuerySet[Job], *, expected_state: str | None = None) -> BulkPreview:
    """Count what ``start_bulk`` would do now, without doing it. One query, whatever the number of Jobs.

    Args:
        expected_state: leave Jobs alone that are in another, as the verbs do. Default None: any state will do.

    Raises:
        ValueError: there is no such verb for Jobs.
    """
    if verb not in VERBS:
        raise ValueError(f"{verb!r} is not a verb for jobs. Give one of {', '.join(VERBS)}.")
    chosen = VERBS[verb]
    running = StepRun.objects.filter(job=OuterRef("pk"), state=StepRunState.RUNNING)
    history = Definition.objects.filter(pk=OuterRef("definition"), graph__has_key="is_history")
    rows = jobs.order_by().annotate(runs=Exists(running), is_history=Exists(history))
    groups = rows.values_list("state", "runs", "is_history").annotate(count=Count("pk"))
    allowed, left_alone = 0, dict[str, int]()
    for state, has_running, is_history, count in groups:
        if expected_state is not None and state != expected_state:
            reason: str = _("It is not “%(expected)s”.") % {"expected": name_job_state(expected_state)}
        else:
            found = chosen.refuse(Situation(state=state, has_running=has_running, is_history=is_history))
            reason = chosen.say_refusal(found) if found is not None else ""
        if reason:
            left_alone[reason] = left_alone.get(reason, 0) + count
        else:
            allowed += count
    return BulkPreview(allowed + sum(left_alone.values()), allowed, left_alone)


def start_bulk(
    verb: str,
    jobs: QuerySet[Job] | None = None,
    *,
    entries: Iterable[Entry] = (),
    workflow: Workflow | None = None,
    options: Mapping[str, Any] | None = None,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    reason: str = "",
    stop_on_fingerprint: str = "",
    stops_also_on: Collection[str] = (),
    stop_on_failure: bool = False,
) -> BulkRun:
    """Fix the list of Jobs, or of other entries, and have the workers apply the verb to each, in this order.

    Args:
        jobs: the Jobs, done oldest first.
        entries: what is done besides, after them: Jobs that have options of their own, or what has no Job yet. They
            are stored in batches; the caller may generate them.
        workflow: the Workflow that entries without a Job are about. Whoever it is hidden from does not see them.
        options: further arguments of the verb, such as ``result`` for "skip"; what JSON can hold.
        stop_on_fingerprint: stop when a failure of this fingerprint comes back in a Job that was changed. Then it goes
            in stages: one Job first, then as many at a time as have got past the step that failed.
        stops_also_on: further fingerprints; each failure at one of their places counts, whatever its words.
        stop_on_failure: stop when a Job that was changed fails again, in whichever way; in stages as well. In the place
            of fingerprints. Default False.

    Raises:
        ValueError: for a verb that there is not.
        PermissionRequired: if ``actor`` may not use it. Each entry asks again when its turn comes.
        UnknownJob, UnknownWorkflow: an entry's Job is not there, or ``workflow`` is hidden from ``actor``.
        CodeNotLoaded: the options hold a secret, and the package that encrypts it is not installed.
    """
    chosen = get_bulk_verb(verb)
    require_permission(actor, chosen.permission, workflow)
    with atomic():
        bulk = BulkRun.objects.create(
            verb=verb,
            reason=reason,
            stop_on_fingerprint=BulkRun.ANY_FAILURE if stop_on_failure else stop_on_fingerprint,
            stops_also_on=sorted(stops_also_on),
            workflow=workflow,
            actor=actor,
            actor_name=name_actor(actor),
            is_trusted=actor is None,
            source=source,
        )
        bulk.total = insert_jobs(bulk, jobs) if jobs is not None else 0
        bulk.total += insert_entries(bulk, entries, chosen)
        bulk.options = seal_options(options or {}, bulk, chosen.Options)
        bulk.shares = count_shares(bulk.items.all(), Coalesce("job__workflow", "bulk_run__workflow"))
        bulk.save(update_fields=["total", "options", "shares"])
        transaction.on_commit(partial(_dispatch, bulk.pk), using=DATABASE)
    return bulk


def stop_bulk(bulk_run_id: int, *, actor: Any = None, source: str = JobEvent.Source.PYTHON, reason: str = "") -> None:
    """Stop a bulk run after the Job that it is at; what is done stays done.

    Raises:
        UnknownBulkRun: there is none that ``actor`` may see.
        PermissionRequired: ``actor`` may not use its verb, or somebody else's holds Jobs that they may not see.
        WrongState: if it has ended.
    """
    bulk = list_visible_bulk_runs(actor).filter(pk=bulk_run_id).first()
    if bulk is None:
        raise UnknownBulkRun(_("There is no bulk run %(id)s.") % {"id": bulk_run_id})
    permission = get_permission(bulk)
    require_permission(actor, permission)
    if not is_whole_or_own(bulk, actor):
        raise PermissionRequired(
            _("%(actor)s may not stop bulk run %(bulk_run)s: some of its jobs are for others.")
            % {"actor": name_actor(actor), "bulk_run": bulk_run_id},
            permission=permission,
        )
    line = BulkEvent(
        kind=BulkEvent.Kind.STOPPED,
        actor=actor,
        actor_name=name_actor(actor),
        source=source,
        reason=make_storable(reason),
    )
    if not _end(bulk_run_id, BulkRun.State.STOPPED, line):
        raise WrongState(
            _("Bulk run %(bulk_run)s is “%(state)s”: it cannot be stopped.")
            % {"bulk_run": bulk_run_id, "state": bulk.get_state_display()},
            state=bulk.state,
        )


def get_permission(bulk: BulkRun) -> str:
    """Return what stopping a bulk run asks for: that of its verb; if there is no such verb, that of seeing jobs."""
    verb = find_verb(bulk.verb)
    return verb.permission if verb is not None else "django_wfe.view_job"


def is_whole_or_own(bulk: BulkRun, actor: Any) -> bool:
    """Return whether who sees a bulk run may stop it as a whole: it is theirs, or all its Jobs are in sight."""
    return is_whole(bulk) or (actor is not None and bulk.actor_id == actor.pk)


def work_on_bulk(bulk_run_id: int) -> None:
    """Apply the verb to the next Jobs of a bulk run, for a slice of time; then hand it on. What messages call.

    Several workers may be at it: each takes Jobs that no other holds. A process that does not know the verb leaves it
    to others, or to a later release: recovery sends the message again.
    """
    verb = find_verb(BulkRun.objects.values_list("verb", flat=True).filter(pk=bulk_run_id).first() or "")
    if verb is None:
        logger.error("Bulk run %s is left alone: this process knows no verb of its name.", bulk_run_id)
        return
    live = _list_live(bulk_run_id)
    until = time.monotonic() + settings.slice_seconds
    is_mine = live.filter(is_free()).update(state=BulkRun.State.RUNNING, touched_at=Now())
    while is_mine:
        bulk = BulkRun.objects.get(pk=bulk_run_id)
        returned = find_returned(bulk) if bulk.stop_on_fingerprint else None
        if returned:
            line = BulkEvent(kind=BulkEvent.Kind.RETURNED, data={"job": returned})
            _end(bulk_run_id, BulkRun.State.STOPPED, line)
            return
        room = min(count_room(bulk), BATCH) if bulk.stop_on_fingerprint else BATCH
        are_left = all(_apply_to_next(bulk_run_id, verb) for _index in range(room))
        if not bulk.items.filter(state=BulkItem.State.PENDING).exists():
            _end(bulk_run_id, BulkRun.State.FINISHED)
            return
        if not are_left:
            return  # others hold what is left, and go on with it
        if room < BATCH:  # a thread that waited here might be the one that the Jobs wait for
            _dispatch(bulk_run_id, delay_seconds=LOOK_AGAIN_SECONDS)
            return
        if time.monotonic() >= until:
            _dispatch(bulk_run_id)
            return
        is_mine = live.update(touched_at=Now())


def describe_refusal(error: WFEException | ValidationError) -> str:
    """Explain why a Job was left alone, without the values of its input: they need a permission of their own."""
    if not isinstance(error, ValidationError):
        return read_error(error)
    places = [problem.place for problem in list_problems(error)]
    return _("Its input is not valid: %(places)s.") % {"places": ", ".join(places) or error.title}


def resume_bulk() -> int:
    """Send the messages again of bulk runs that nobody works on; return their number."""
    stale = BulkRun.objects.filter(
        state__in=BulkRun.LIVE_STATES,
        touched_at__lt=Now() - timedelta(seconds=RESUME_SECONDS),
    )
    ids = list(stale.values_list("pk", flat=True))
    BulkRun.objects.filter(pk__in=ids).update(touched_at=Now())
    for bulk_run_id in ids:
        _dispatch(bulk_run_id, delay_seconds=LOOK_AGAIN_SECONDS)  # not while it counts as just worked on
    return len(ids)


def _apply_to_next(bulk_run_id: int, verb: BulkVerb) -> bool:
    """Apply the verb to one entry and keep what came of it, in one transaction: after a crash it is done once or not.

    Returns:
        Whether there was one, and the bulk run goes on.
    """
    with atomic():
        pending = BulkItem.objects.filter(bulk_run=bulk_run_id, state=BulkItem.State.PENDING)
        item = pending.select_for_update(skip_locked=True).order_by("id").first()
        # Anew for each Job: since the last one it may have been stopped, and its user may have lost every right.
        bulk = _list_live(bulk_run_id).select_related("actor", "workflow").first() if item is not None else None
        if item is None or bulk is None or _end_without_actor(bulk):
            return False
        state, refusal, job_id = BulkItem.State.DONE, "", item.job_id
        options = {**bulk.options, **item.options}
        try:
            if not isinstance(verb, Verb):  # a verb for Jobs asks itself, for each Job
                require_permission(bulk.actor, verb.permission, bulk.workflow)
            with atomic(), telling_defects(verb, f"entry {item}"):
                job_id = verb.apply_to_entry(
                    item, actor=bulk.actor, source=bulk.source, reason=bulk.reason, **unseal(options)
                )
        except (WFEException, ValidationError) as error:
            state, refusal = BulkItem.State.REFUSED, describe_refusal(error)
        BulkItem.objects.filter(pk=item.pk).update(
            state=state, message=write_english(refusal), sentence=keep(refusal), job=job_id
        )
    if bulk.stop_on_fingerprint:
        BulkRun.objects.filter(pk=bulk.pk).update(touched_at=Now())
    return True


def _end_without_actor(bulk: BulkRun) -> bool:
    """Stop a bulk run whose user is gone: without an actor the verbs would take it for trusted code."""
    if bulk.is_trusted or (bulk.actor is not None and bulk.actor.is_active):
        return False
    kind = BulkEvent.Kind.ACTOR_GONE if bulk.actor is None else BulkEvent.Kind.ACTOR_INACTIVE
    _end(bulk.pk, BulkRun.State.STOPPED, BulkEvent(kind=kind))
    return True


def _list_live(bulk_run_id: int) -> QuerySet[BulkRun]:
    return BulkRun.objects.filter(pk=bulk_run_id, state__in=BulkRun.LIVE_STATES)


def _end(bulk_run_id: int, state: BulkRun.State, line: BulkEvent | None = None) -> int:
    """End a live bulk run, with the line that tells of it in its history; return whether it was live, as 0 or 1."""
    with atomic():
        ended = _list_live(bulk_run_id).update(state=state, finished_at=Now())
        if ended and line is not None:
            line.bulk_run_id = bulk_run_id
            line.save(force_insert=True)
    return ended


def _dispatch(bulk_run_id: int, *, delay_seconds: float = 0) -> None:
    send(Message("bulk", bulk_run_id, delay_seconds))
