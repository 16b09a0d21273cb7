"""Whether everything that jobs need is there: one finding for each thing that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dramatiq
from django.apps import apps
from django.db import DatabaseError, InterfaceError, connections
from django.db.models.functions import Now
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.errors.database_trouble import (
    explain_connection_error,
    explain_unapplied,
    list_unapplied_migrations,
)
from django_wfe.engine.large_values.probing import count_large_values, probe_storage
from django_wfe.engine.project_code.needed_code import list_needed_code, say_cure, say_needed_code
from django_wfe.engine.project_code.outdated_workers import list_outdated
from django_wfe.engine.queries.incidents import SHOWN, list_incidents
from django_wfe.engine.recovery.liveness import list_live_workers
from django_wfe.engine.rules.start_rules import say_how_to_read, was_never_read
from django_wfe.exceptions import LargeValueUnavailable
from django_wfe.models import DefinitionModule, StepRun, StepRunState, Worker, Workflow
from django_wfe.models.columns.moments import MomentField
from django_wfe.states import RUNNABLE_JOB_STATES
from django_wfe.values.moments import count_seconds, localize
from django_wfe.watchdog.leadership import find_leader
from django_wfe.wording.durations import describe_duration

LONGEST_READY_SECONDS = 300.0
"""For how long a step run may be ready before that counts as wrong: busy workers are not."""

NAMED = 5
"""How many workers, modules or workflows a finding names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``cure`` says what to do where it is not ``ok``."""

    name: str
    ok: bool
    text: str
    cure: str = ""


def examine() -> Iterator[Finding]:
    """Look at everything, one after another. Without a database only the broker is looked at besides."""
    yield examine_broker()
    database = examine_database()
    yield database
    if not database.ok:
        return
    migrations = examine_migrations()
    yield migrations
    if not migrations.ok:
        return
    if settings.storage:
        yield examine_storage()
    for look in (
        examine_workers,
        examine_watchdog,
        examine_definitions,
        examine_needed_code,
        examine_queue,
        examine_incidents,
    ):
        yield look()


def examine_database() -> Finding:
    """Check whether the database answers, and is one that the engine works on."""
    name = _("Database")
    connection = connections[DATABASE]
    if connection.vendor != "postgresql":
        cure = _("Use PostgreSQL for DATABASES[“%(alias)s”].") % {"alias": DATABASE}
        return _find_wrong(name, connection.vendor, cure)
    try:
        with connection.cursor() as cursor:
            # A pooler gives its clients numbers of its own.
            cursor.execute("SELECT current_setting('server_version'), pg_backend_pid()")
            version, backend_pid = cursor.fetchone()
    except (DatabaseError, InterfaceError) as error:
        trouble = explain_connection_error(error)
        return _find_wrong(name, trouble.cause, trouble.cure)
    server = f"PostgreSQL {version}"
    if connection.connection.info.backend_pid == backend_pid:
        return _find_sound(name, server)
    if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
        return _find_sound(name, _("%(server)s, through a pooler") % {"server": server})
    text = _(
        "%(server)s, through a pooler: if it pools transactions, write “DISABLE_SERVER_SIDE_CURSORS”: True in DATABASES"
    )
    return _find_sound(name, text % {"server": server})


def examine_migrations() -> Finding:
    """Check whether the tables are those of this version."""
    missing = list_unapplied_migrations()
    if missing:
        trouble = explain_unapplied(missing)
        return _find_wrong(_("Migrations"), trouble.cause, trouble.cure)
    return _find_sound(_("Migrations"), _("all applied"))


def examine_storage() -> Finding:
    """Check whether the storage of large values works, by a small file."""
    name = _("Large values")
    try:
        probe_storage()
    except LargeValueUnavailable as error:
        cure = _("See that the storage “%(alias)s” of STORAGES runs, and that this process may write to it.")
        return _find_wrong(name, str(error), cure % {"alias": settings.storage})
    files, size = count_large_values()
    counted = ngettext("%(count)s file", "%(count)s files", files) % {"count": files}
    return _find_sound(name, f"“{settings.storage}”, {counted}, {filesizeformat(size)}")


def examine_broker() -> Finding:
    """Check whether the broker answers, over the connection that messages are sent by."""
    if not apps.is_installed("django_dramatiq"):
        text = _("django_dramatiq is not in INSTALLED_APPS")
        return _find_wrong(_("Broker"), text, _("Add it there, and name the broker in DRAMATIQ_BROKER."))
    broker = dramatiq.get_broker()
    name, kind = _("Broker"), type(broker).__name__
    knock = _find_knock(broker)
    if knock is None:
        cure = _("Name a real one in DRAMATIQ_BROKER: other processes do not hear of messages in this one.")
        is_stub = kind == "StubBroker"
        return _find_wrong(name, kind, cure) if is_stub else _find_sound(name, kind)
    try:
        knock()
    except Exception as error:
        # Each broker has exceptions of its own.
        return _find_wrong(name, f"{kind}: {_say_error(error)}", _("See that it runs, and look at DRAMATIQ_BROKER."))
    return _find_sound(name, f"{kind}, {_('queue')} {settings.queue}")


def examine_workers() -> Finding:
    """Check whether workers are alive, and have the code that they were asked to run."""
    name, alive = _("Workers"), list(list_live_workers())
    if not alive:
        last = Worker.objects.order_by("-last_seen").values_list("last_seen", flat=True).first()
        text = _("none; last heartbeat %(time)s") % {"time": _say_time(last)} if last else _("none")
        return _find_wrong(name, text, _("Start one: manage.py rundramatiq."))
    lacking = [f"{worker}: {path}" for worker in alive for path in worker.lacks]
    if lacking:
        text = _("code is missing: %(lacking)s") % {"lacking": _name_some(lacking)}
        return _find_wrong(name, text, _("Deploy the code to every worker and restart those that do not have it."))
    known = [worker.queues.split() for worker in alive if worker.queues]
    if len(known) == len(alive) and not any(settings.queue in queues for queues in known):
        read = _name_some(sorted({queue for queues in known for queue in queues}))
        text = _("none reads the queue %(queue)s; they read: %(read)s") % {"queue": settings.queue, "read": read}
        cure = _("Set the same WFE_QUEUE for every process, and run rundramatiq without --queues, or with that one.")
        return _find_wrong(name, text, cure)
    counted = [item for worker in alive for item in worker.foreign_messages.items()]
    foreign = sorted({f"{database}: {number}" for database, number in counted})
    if foreign:
        text = _("got messages of another database: %(foreign)s") % {"foreign": _name_some(foreign)}
        cure = _("Two projects share one broker and one queue. Set a different WFE_QUEUE for each, and restart them.")
        return _find_wrong(name, text, cure)
    outdated = list_outdated(alive)
    if outdated:
        text = " ".join(str(one) for one in outdated[:NAMED]) + (" …" if len(outdated) > NAMED else "")
        return _find_wrong(name, text, _("Deploy the code to every worker and restart those that have another."))
    return _find_sound(name, _("%(number)d alive: %(names)s") % {"number": len(alive), "names": _name_some(alive)})


def examine_watchdog() -> Finding:
    """Check whether a watchdog leads, and which."""
    leader = find_leader()
    if leader is not None:
        values = {"name": leader.name, "duration": describe_duration(leader.seconds)}
        text = _("%(name)s has led for %(duration)s") % values
        return _find_sound(_("Watchdog"), text)
    cure = _("Start one: manage.py wfe_watchdog. Without it lost workers and messages are not recovered.")
    return _find_wrong(_("Watchdog"), _("none leads"), cure)


def examine_definitions() -> Finding:
    """Check whether every module of ``WFE_WORKFLOWS`` could be read, and every workflow in it taken over."""
    if not settings.workflows:
        cure = _("Write WFE_WORKFLOWS = “yourproject.workflows”, the module that defines or imports your workflows.")
        return _find_wrong(_("Definitions"), _("WFE_WORKFLOWS is not set"), cure)
    failed = [
        *DefinitionModule.objects.exclude(error="").values_list("path", "error"),
        *Workflow.objects.filter(deleted=False).exclude(load_error="").values_list("path", "load_error"),
    ]
    if failed:
        text = _name_some(f"{path}: {error.strip().splitlines()[-1][:200]}" for path, error in failed)
        return _find_wrong(_("Definitions"), text, _("Run manage.py wfe_check, and fix what it reports."))
    number = Workflow.objects.filter(deleted=False).count()
    if not number and was_never_read():
        return _find_wrong(_("Definitions"), _("none has been read yet"), say_how_to_read())
    text = ngettext("%(number)d workflow", "%(number)d workflows", number) % {"number": number}
    return _find_sound(_("Definitions"), text)


def examine_needed_code() -> Finding:
    """Check whether this process has the code of every node that open jobs are at, or may come to."""
    name, needed = _("Code that jobs need"), list_needed_code()
    if not needed:
        return _find_sound(name, _("all there"))
    text = _name_some(f"{lack.step}: {say_needed_code(lack)}" for lack in needed)
    return _find_wrong(name, text, say_cure(needed[0]))


def examine_queue() -> Finding:
    """Check for how long the oldest ready step run has been waiting."""
    oldest = (
        StepRun.objects.filter(
            state=StepRunState.READY,
            due_at__lte=Now(),
            job__state__in=sorted(RUNNABLE_JOB_STATES),
            job__workflow__paused=False,
        )
        .annotate(now=Now(output_field=MomentField()))
        .only("job_id", "due_at")
        .order_by("due_at")
        .first()
    )
    if oldest is None:
        return _find_sound(_("Oldest ready step"), _("none"))
    now: datetime = oldest.now
    seconds = max(count_seconds(oldest.due_at, now), 0)
    text = _("ready for %(seconds)d s, in job %(job)d") % {"seconds": seconds, "job": oldest.job_id}
    cure = _("Run manage.py wfe_doctor %(job)d for its cause.") % {"job": oldest.job_id}
    return Finding(_("Oldest ready step"), ok=seconds <= LONGEST_READY_SECONDS, text=text, cure=cure)


def examine_incidents() -> Finding:
    """Count the open incidents. They are for people to repair; the engine is fine."""
    incidents = list_incidents(None)
    if not incidents:
        return _find_sound(_("Incidents"), _("none"))
    number, jobs = len(incidents), sum(incident.jobs for incident in incidents)
    more = "+" if number >= SHOWN or any(incident.is_capped for incident in incidents) else ""
    text = _("%(number)d%(more)s, with %(jobs)d%(more)s failed jobs") % {"number": number, "more": more, "jobs": jobs}
    return _find_sound(_("Incidents"), text)


def _find_sound(name: str, text: str) -> Finding:
    return Finding(name, ok=True, text=text)


def _find_wrong(name: str, text: str, cure: str) -> Finding:
    return Finding(name, ok=False, text=text, cure=cure)


def _find_knock(broker: Any) -> Callable[[], object] | None:
    """Return what makes a broker answer: Redis has a client; a connection to RabbitMQ is opened when asked for."""
    client = getattr(broker, "client", None)
    if client is not None:
        ping: Callable[[], object] = client.ping
        return ping
    if hasattr(type(broker), "connection"):
        return lambda: _open_and_close(broker)
    return None


def _open_and_close(broker: Any) -> None:
    try:
        if not broker.connection.is_open:
            raise ConnectionError(_("the connection is closed"))
    finally:
        broker.close()


def _say_error(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or repr(error)


def _say_time(moment: datetime) -> str:
    return localize(moment).isoformat(sep=" ", timespec="seconds")


def _name_some(things: Any) -> str:
    names = [str(thing) for thing in things]
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
