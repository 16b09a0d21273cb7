"""Operator verbs on many jobs: the actions of the Job list and their page that says what will happen.

Up to ``IMMEDIATE_LIMIT`` jobs are done at once, each told of. More become a BulkRun that the workers go through; a
whole filter does too, whatever it matches: see ``bulk_filters``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from pydantic import ValidationError

from django_wfe import states
from django_wfe.admin.bulk.filters import BulkReasonForm, preview_filter
from django_wfe.admin.bulk.ordering import start_bulk_run
from django_wfe.admin.elements.payloads import PAYLOAD_COLUMNS
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.history import log_action
from django_wfe.engine.access import has_permission, list_visible_jobs, renew_actor
from django_wfe.engine.bulk.runs import describe_refusal
from django_wfe.engine.lifecycle import VERBS, Source, Verb, VerbStatus
from django_wfe.engine.rules.verb_rules import judge
from django_wfe.exceptions import WFEException
from django_wfe.models import Job, StepRun
from django_wfe.values.identifiers import parse_id

if TYPE_CHECKING:
    _Base = ConsoleAdmin[Job]
else:
    _Base = object

BULK_VERBS = ("cancel", "pause", "resume", "retry")
IMMEDIATE_LIMIT = 100
BULK_LIMIT = 1000
LISTED = 50


class BulkForm(BulkReasonForm):
    """The jobs, each with the state that it had on the preview, and the reason."""

    jobs = forms.CharField(widget=forms.HiddenInput)

    def clean_jobs(self) -> dict[int, str]:
        """Read "12:FAILED,13:PAUSED"."""
        expected: dict[int, str] = {}
        for part in self.cleaned_data["jobs"].split(","):
            pk, _colon, state = part.partition(":")
            number = parse_id(pk)
            if number is None:
                raise forms.ValidationError(_("%(part)s names no job.") % {"part": part[:50]})
            expected[number] = state
        if len(expected) > BULK_LIMIT:
            raise forms.ValidationError(_describe_limit())
        return expected


@dataclass(slots=True)
class Preview:
    """Which of the jobs a verb would touch, and which it would leave alone, with the reason."""

    ready: list[tuple[Job, VerbStatus]]
    left: list[tuple[Job, VerbStatus]]


class BulkActions(_Base):
    """Adds the verbs to the actions of the Job list, each for those who hold its permission."""

    actions = ("cancel_selected", "pause_selected", "resume_selected", "retry_selected")

    @admin.action(permissions=["cancel"], description=gettext_lazy("Cancel selected jobs"))
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponseBase | None:
        """Show what a cancel of these would do."""
        return self._preview(request, queryset, "cancel")

    @admin.action(permissions=["pause"], description=gettext_lazy("Pause selected jobs"))
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponseBase | None:
        """Show what a pause of these would do."""
        return self._preview(request, queryset, "pause")

    @admin.action(permissions=["pause"], description=gettext_lazy("Resume selected jobs"))
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponseBase | None:
        """Show what a resume of these would do."""
        return self._preview(request, queryset, "resume")

    @admin.action(permissions=["retry"], description=gettext_lazy("Retry selected jobs"))
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponseBase | None:
        """Show what a retry of these would do."""
        return self._preview(request, queryset, "retry")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may cancel jobs at all; the engine asks again for each job."""
        return has_permission(request.user, VERBS["cancel"].permission)

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may pause and resume jobs at all."""
        return has_permission(request.user, VERBS["pause"].permission)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may retry failed steps at all."""
        return has_permission(request.user, VERBS["retry"].permission)

    def _preview(self, request: HttpRequest, queryset: QuerySet[Job], verb: str) -> HttpResponseBase | None:
        if request.POST.get("select_across", "0") not in ("", "0", "false"):
            return preview_filter(self, request, queryset, verb)
        pks = list(queryset.order_by("-pk").values_list("pk", flat=True)[: BULK_LIMIT + 1])
        if len(pks) > BULK_LIMIT:
            messages.warning(request, _describe_limit())
            return None
        preview = build_preview(request.user, pks, verb)
        selection = ",".join(f"{job.pk}:{job.state}" for job, _status in preview.ready)
        return self._render_preview(request, verb, preview, BulkForm(initial={"jobs": selection}))

    def _render_preview(self, request: HttpRequest, verb: str, preview: Preview, form: BulkForm) -> HttpResponseBase:
        return self.render(
            request,
            "django_wfe/console/bulk.html",
            title=_("%(verb)s – selected jobs") % {"verb": VERBS[verb].label},
            crumbs=[self.list_crumb()],
            verb=VERBS[verb],
            preview=preview,
            ready_listed=preview.ready[:LISTED],
            left_listed=preview.left[:LISTED],
            in_background=len(preview.ready) > IMMEDIATE_LIMIT,
            form=form,
        )


def show_bulk(model_admin: BulkActions, request: HttpRequest, verb: str) -> HttpResponseBase:
    """Run the verb on the jobs of the preview page, and say per job what was done."""
    model_admin.require_view_permission(request)
    if verb not in BULK_VERBS or not has_permission(request.user, VERBS[verb].permission):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = BulkForm(request.POST)
    if not form.is_valid():
        if "jobs" in form.errors:
            messages.warning(request, " ".join(str(error) for error in form.errors["jobs"]))
            return HttpResponseRedirect(model_admin.build_changelist_url())
        posted = [part.partition(":")[0] for part in request.POST.get("jobs", "").split(",")]
        preview = build_preview(request.user, [int(pk) for pk in posted], verb)
        return model_admin._render_preview(request, verb, preview, form)
    expected, reason = form.cleaned_data["jobs"], form.cleaned_data["reason"]
    if len(expected) > IMMEDIATE_LIMIT:
        return start_bulk_run(model_admin, request, verb, list_unchanged(request.user, expected), reason=reason)
    _run(request, VERBS[verb], expected, reason)
    return HttpResponseRedirect(model_admin.build_changelist_url())


def build_preview(user: Any, pks: Sequence[int], name: str) -> Preview:
    """Sort the jobs into those that the verb would touch and those that it would leave alone, in three queries."""
    verb, preview = VERBS[name], Preview([], [])
    jobs = list(list_visible_jobs(user).filter(pk__in=pks).select_related("workflow").order_by("-pk"))
    runs = StepRun.objects.filter(job__in=jobs, superseded=False).defer(*PAYLOAD_COLUMNS)
    live: dict[int, list[StepRun]] = {}
    for run in runs.filter(state__in=sorted(states.LIVE_STEP_RUN_STATES)).order_by("pk"):
        live.setdefault(run.job_id, []).append(run)
    last = {run.job_id: run for run in runs.order_by("job_id", "-number", "-attempt").distinct("job_id")}
    for job in jobs:
        has_running = any(run.state == states.StepRunState.RUNNING for run in live.get(job.pk, []))
        situation = judge(job, has_running=has_running, last=last.get(job.pk))
        reason = verb.rule.refuse(situation)
        effect = "" if reason else verb.rule.describe(situation)
        if not has_permission(user, verb.permission, job.workflow):
            reason = _("You need the permission “%(permission)s”.") % {"permission": verb.permission}
        status = VerbStatus(verb, not reason, reason, effect)
        (preview.left if reason else preview.ready).append((job, status))
    return preview


def list_unchanged(user: Any, expected: dict[int, str]) -> QuerySet[Job]:
    """Give those of the jobs that still stand in the state in which the preview showed them."""
    by_state: dict[str, list[int]] = {}
    for pk, state in expected.items():
        by_state.setdefault(state, []).append(pk)
    as_seen = Q()
    for state, pks in by_state.items():
        as_seen |= Q(state=state, pk__in=pks)
    return list_visible_jobs(user).filter(as_seen)


def _run(request: HttpRequest, verb: Verb, expected: dict[int, str], reason: str) -> None:
    done, refused = 0, list[str]()
    jobs = list_visible_jobs(request.user).filter(pk__in=expected).select_related("workflow")
    for job in jobs.order_by("pk"):
        try:
            verb.function(
                job.pk,
                actor=renew_actor(request.user),
                source=Source.ADMIN,
                reason=reason,
                expected_state=expected[job.pk],
            )
        except (WFEException, ValidationError) as error:
            refused.append(f"{job}: {describe_refusal(error)}")
            continue
        log_action(request, job, f"{verb.label}. {reason}".strip())
        done += 1
    if done:
        messages.success(
            request,
            ngettext("%(verb)s: done for %(count)d job.", "%(verb)s: done for %(count)d jobs.", done)
            % {"verb": verb.label, "count": done},
        )
    for text in refused[:LISTED]:
        messages.warning(request, _("Left alone: %(reason)s") % {"reason": text})
    if len(refused) > LISTED:
        rest = len(refused) - LISTED
        messages.warning(
            request,
            ngettext("%(count)d more was left alone.", "%(count)d more were left alone.", rest) % {"count": rest},
        )
    if not done and not refused:
        messages.warning(request, _("None of these jobs is there any more; nothing was changed."))


def _describe_limit() -> str:
    return _("More than %(limit)d jobs are selected. Narrow the list down first; nothing was changed.") % {
        "limit": BULK_LIMIT
    }
