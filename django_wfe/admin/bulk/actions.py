"""Operator verbs on many jobs: the actions of the Job list and their page that says what will happen.

Up to ``IMMEDIATE_LIMIT`` jobs are done at once, each told of. More become a BulkRun that the workers go through; a
whole filter does too, whatever it matches: see ``bulk_filters``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import ValidationError

from django_wfe.admin.bulk.filters import preview_filter
from django_wfe.admin.bulk.ordering import start_bulk_run
from django_wfe.admin.bulk.stopping import MOST, build_stop_field, list_fingerprints, may_stop
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.history import log_action
from django_wfe.admin.verbs.forms import ManyForm, are_all_valid, build_options_form, read_options
from django_wfe.engine.access import has_permission, list_visible_jobs, renew_actor
from django_wfe.engine.lifecycle import VERBS, Source, Verb, VerbStatus, describe_refusal, list_actions, list_statuses
from django_wfe.exceptions import WFEException
from django_wfe.forms import InputForm
from django_wfe.models import Job
from django_wfe.values.identifiers import parse_id

if TYPE_CHECKING:
    _Base = ConsoleAdmin[Job]
else:
    _Base = object

IMMEDIATE_LIMIT = 100
BULK_LIMIT = 1000
LISTED = 50


class BulkForm(ManyForm):
    """The jobs, each with the state that it had on the preview, and the reason."""

    jobs = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, verb: Verb, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._user = user
        if may_stop(verb):
            self.fields["stop"] = build_stop_field()

    def clean(self) -> dict[str, Any]:
        """Find the failures to stop on."""
        cleaned = {**(super().clean() or self.cleaned_data), "fingerprints": []}
        if cleaned.get("stop") and "jobs" in cleaned:
            cleaned["fingerprints"] = list_fingerprints(self._user, cleaned["jobs"])
            if len(cleaned["fingerprints"]) > MOST:
                message = _("These jobs stand at more than %(most)d failures. Select fewer, or do not let it stop.")
                self.add_error("stop", message % {"most": MOST})
        return cleaned

    def clean_jobs(self) -> dict[int, str]:
        """Read "12:FAILED,13:PAUSED"."""
        expected: dict[int, str] = {}
        for part in self.cleaned_data["jobs"].split(","):
            pk, _colon, state = part.partition(":")
            number = parse_id(pk)
            if number is None:
                raise forms.ValidationError(_("%(part)s is not the id of a job.") % {"part": part[:50]})
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

    @property
    def actions(self) -> Sequence[Any]:  # type: ignore[override]
        """Return an action for each verb that is for many jobs: projects register theirs."""
        return [build_action(verb) for verb in list_actions().values()]

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return the actions, those of verbs to whom may use them; the engine asks again for each job."""
        # Django 6.1 tells where they are shown, and warns of an admin that does not take that.
        given = {} if action_location is None else {"action_location": action_location}
        found: dict[str, Any] = super().get_actions(request, **given)
        for verb in list_actions().values():
            if not has_permission(request.user, verb.permission):
                found.pop(name_action(verb), None)
        return found

    def _preview(self, request: HttpRequest, queryset: QuerySet[Job], verb: str) -> HttpResponseBase | None:
        """Show what the verb would do to these, or to all that the list's filter matches."""
        if request.POST.get("select_across", "0") not in ("", "0", "false"):
            return preview_filter(self, request, verb)
        pks = list(queryset.order_by("-pk").values_list("pk", flat=True)[: BULK_LIMIT + 1])
        if len(pks) > BULK_LIMIT:
            messages.warning(request, _describe_limit())
            return None
        preview = build_preview(request.user, pks, verb)
        selection = ",".join(f"{job.pk}:{job.state}" for job, _status in preview.ready)
        form = BulkForm(initial={"jobs": selection}, verb=VERBS[verb], user=request.user)
        return self._render_preview(request, verb, preview, form, build_options_form(VERBS[verb]))

    def _render_preview(
        self, request: HttpRequest, verb: str, preview: Preview, form: BulkForm, options_form: InputForm | None
    ) -> HttpResponseBase:
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
            options_form=options_form,
            media=options_form.media if options_form is not None else None,
        )


def build_action(verb: Verb) -> Callable[..., HttpResponseBase | None]:
    """Return the action that shows what a verb would do to the jobs that are selected."""

    def act(model_admin: BulkActions, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponseBase | None:
        return model_admin._preview(request, queryset, verb.name)

    act.__name__ = name_action(verb)
    return admin.action(description=verb.say_action().replace("%", "%%"))(act)  # Django fills in names


def name_action(verb: Verb) -> str:
    """Return the name under which the list posts the action of a verb."""
    return f"{verb.name}_selected"


def show_bulk(model_admin: BulkActions, request: HttpRequest, verb: str) -> HttpResponseBase:
    """Run the verb on the jobs of the preview page, and say per job what was done."""
    model_admin.require_view_permission(request)
    if verb not in list_actions() or not has_permission(request.user, VERBS[verb].permission):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = BulkForm(request.POST, verb=VERBS[verb], user=request.user)
    options_form = build_options_form(VERBS[verb], request)
    if not are_all_valid(form, options_form):
        if "jobs" in form.errors:
            messages.warning(request, " ".join(str(error) for error in form.errors["jobs"]))
            return HttpResponseRedirect(model_admin.build_changelist_url())
        posted = [part.partition(":")[0] for part in request.POST.get("jobs", "").split(",")]
        preview = build_preview(request.user, [int(pk) for pk in posted], verb)
        return model_admin._render_preview(request, verb, preview, form, options_form)
    expected, reason, options = form.cleaned_data["jobs"], form.cleaned_data["reason"], read_options(options_form)
    fingerprints = form.cleaned_data["fingerprints"]
    if len(expected) > IMMEDIATE_LIMIT or fingerprints:
        return start_bulk_run(
            model_admin,
            request,
            verb,
            list_unchanged(request.user, expected),
            options=options,
            reason=reason,
            stop_on_fingerprint=fingerprints[0] if fingerprints else "",
            stops_also_on=fingerprints[1:],
        )
    _run(request, VERBS[verb], expected, reason, options)
    return HttpResponseRedirect(model_admin.build_changelist_url())


def build_preview(user: Any, pks: Sequence[int], name: str) -> Preview:
    """Sort the jobs into those that the verb would touch and those that it would leave alone, in three queries."""
    preview = Preview([], [])
    jobs = list(list_visible_jobs(user).filter(pk__in=pks).select_related("workflow").order_by("-pk"))
    for job, status in zip(jobs, list_statuses(VERBS[name], jobs, user), strict=True):
        (preview.ready if status.allowed else preview.left).append((job, status))
    return preview


def list_unchanged(user: Any, expected: dict[int, str]) -> QuerySet[Job]:
    """Return those of the jobs that still stand in the state in which the preview showed them."""
    by_state: dict[str, list[int]] = {}
    for pk, state in expected.items():
        by_state.setdefault(state, []).append(pk)
    as_seen = Q()
    for state, pks in by_state.items():
        as_seen |= Q(state=state, pk__in=pks)
    return list_visible_jobs(user).filter(as_seen)


def _run(request: HttpRequest, verb: Verb, expected: dict[int, str], reason: str, options: Mapping[str, Any]) -> None:
    done, refused = 0, list[str]()
    jobs = list_visible_jobs(request.user).filter(pk__in=expected).select_related("workflow")
    for job in jobs.order_by("pk"):
        try:
            verb.apply(
                job.pk,
                **options,
                actor=renew_actor(request.user),
                source=Source.ADMIN,
                reason=reason,
                expected_state=expected[job.pk],
            )
        except (WFEException, ValidationError) as error:
            refused.append(f"{job.title}: {describe_refusal(error)}")
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
        messages.warning(request, _("None of these jobs still exists. Nothing was changed."))


def _describe_limit() -> str:
    return _("More than %(limit)d jobs are selected. Narrow the list down first; nothing was changed.") % {
        "limit": BULK_LIMIT
    }
