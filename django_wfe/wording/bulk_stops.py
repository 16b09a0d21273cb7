"""Why a bulk run stopped, from the line that its end left in its history."""

from __future__ import annotations

from django.utils.translation import gettext as _

from django_wfe.engine.access import is_whole
from django_wfe.models import BulkEvent, BulkRun


def explain_stop(bulk: BulkRun) -> str:
    """Return why a bulk run stopped; "" if it did not, and to those who do not see all of its Jobs: it may name one."""
    if not is_whole(bulk):
        return ""
    event = None if bulk.stop_reason else bulk.events.order_by("id").last()
    return _explain(bulk, event) if event is not None else bulk.stop_reason


def _explain(bulk: BulkRun, event: BulkEvent) -> str:
    starter = bulk.actor_name or _("who started it")
    match event.kind:
        case BulkEvent.Kind.RETURNED:
            return _("the failure came back in job %(job)s") % {"job": event.data["job"]}
        case BulkEvent.Kind.ACTOR_GONE:
            return _("%(actor)s is no longer a user") % {"actor": starter}
        case BulkEvent.Kind.ACTOR_INACTIVE:
            return _("%(actor)s is no longer active") % {"actor": starter}
        case BulkEvent.Kind.STOPPED if not event.actor_name:
            return event.reason or _("stopped")
        case BulkEvent.Kind.STOPPED:
            values = {"actor": event.actor_name, "reason": event.reason}
            return (_("stopped by %(actor)s: %(reason)s") if event.reason else _("stopped by %(actor)s")) % values
        case _:  # a row of a later version
            return str(event.kind)
