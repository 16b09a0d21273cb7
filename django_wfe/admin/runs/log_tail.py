"""The end of a running step run's log, and what was added to it since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import TextField
from django.db.models.functions import Length, Right
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.html import escape
from django.utils.translation import gettext as _
from django_htmx.http import HTMX_STOP_POLLING, trigger_client_event

from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.admin.frame.live import is_fragment_request
from django_wfe.engine.access import may_view_data
from django_wfe.models import Job, JobLog, StepRun
from django_wfe.states import StepRunState
from django_wfe.values.visible_text import show_on_page, strip_terminal_looks

TAIL_CHARACTERS = 64_000
"""The most that one answer brings; what lies before is only in the whole log."""

PIECES_LOOKED_AT = 500

TAIL_EVENT = "wfe:tail"


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of a log. ``after`` is the sequence of its last piece (-1: none yet), for the next question."""

    step_run_id: int
    text: str
    after: int
    is_cut: bool


def read_tail(step_run_id: int, after: int = -1) -> LogTail:
    """Return what came into a log after a piece, at most ``TAIL_CHARACTERS`` of it, in two bounded queries."""
    newest = JobLog.objects.filter(step_run_id=step_run_id, sequence__gt=after).order_by("-sequence")
    sizes = list(newest.values_list("sequence", Length("text"))[: PIECES_LOOKED_AT + 1])
    if not sizes:
        return LogTail(step_run_id, "", after, is_cut=False)
    first, characters = sizes[0][0], 0
    for sequence, size in sizes[:PIECES_LOOKED_AT]:
        first = sequence
        characters += size
        if characters > TAIL_CHARACTERS:
            break
    end: Any = Right("text", TAIL_CHARACTERS, output_field=TextField())
    pieces = newest.filter(sequence__gte=first, sequence__lte=sizes[0][0]).values_list(end, flat=True)
    text = "".join(reversed(pieces))[-TAIL_CHARACTERS:]
    is_cut = characters > TAIL_CHARACTERS or first != sizes[-1][0]
    return LogTail(step_run_id, strip_terminal_looks(text), sizes[0][0], is_cut=is_cut)


def show_tail(model_admin: ConsoleAdmin[Job], request: HttpRequest, job_id: int, step_run_id: int) -> HttpResponseBase:
    """Return what came into a step run's log after the piece ``?after=``, as HTML text to append; 286 when it ended."""
    job = find_job(model_admin, request, job_id)
    if not may_view_data(request.user, job):
        raise PermissionDenied
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    # The state before the log: the last piece is written in the transaction that ends the step run.
    state = StepRun.objects.filter(job=job, pk=step_run_id).values_list("state", flat=True).first()
    if state is None:
        raise Http404(_("There is no step run with the id %(id)s.") % {"id": step_run_id})
    tail = read_tail(step_run_id, _read_after(request))
    text = f"\n[…]\n{tail.text}" if tail.is_cut else tail.text
    response = HttpResponse(show_on_page(escape(text)), headers={"Cache-Control": "no-store"})
    if is_fragment_request(request):
        if state != StepRunState.RUNNING:
            response.status_code = HTMX_STOP_POLLING
        elif not tail.text:
            return HttpResponse(status=204)
    return trigger_client_event(response, TAIL_EVENT, {"after": tail.after})


def _read_after(request: HttpRequest) -> int:
    value = request.GET.get("after", "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else -1
