"""A verb on all jobs that match the Job list's filter. What is carried is the filter, signed; never the jobs' ids."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _

from django_wfe.admin.bulk.ordering import start_bulk_run
from django_wfe.admin.bulk.stopping import may_stop
from django_wfe.admin.frame.lists import AFTER, BEFORE
from django_wfe.admin.verbs.forms import ManyForm, are_all_valid, build_options_form, read_options
from django_wfe.engine.access import has_permission
from django_wfe.engine.lifecycle import VERBS, Verb, preview_bulk
from django_wfe.forms import InputForm
from django_wfe.models import Job

SALT = "django_wfe.bulk_filter"
GOOD_FOR = 24 * 60 * 60
"""Seconds for which a preview can be confirmed."""


class FilterForm(ManyForm):
    """The filter as it was signed, and the reason."""

    filter = forms.CharField(widget=forms.HiddenInput)

    field_order = ("stop", "reason")

    def __init__(self, *args: Any, verb: Verb, **options: Any) -> None:
        super().__init__(*args, **options)
        if may_stop(verb):
            self.fields["stop"] = forms.BooleanField(
                label=_("Stop when a job fails again"),
                required=False,
                help_text=_(
                    "Workers start with the oldest job, then take as many at a time as went well before, and stop if "
                    "one of them fails again."
                ),
            )
            self.order_fields(self.field_order)


@dataclass(frozen=True, slots=True)
class ChosenFilter:
    """Which jobs are meant: the list's query string, and the newest job that there was when it was previewed."""

    verb: str
    query: str
    newest: int

    def sign(self) -> str:
        """Return it as a text that nobody can change."""
        return signing.dumps(asdict(self), salt=SALT, compress=True)

    @classmethod
    def read(cls, text: str) -> ChosenFilter:
        """Read what ``sign`` gave.

        Raises:
            BadSignature: if it was changed, or is too old.
        """
        return cls(**signing.loads(text, salt=SALT, max_age=GOOD_FOR))


def preview_filter(model_admin: Any, request: HttpRequest, verb: str) -> HttpResponseBase:
    """Count what the verb would do to all that match; nothing is changed, and no job is loaded."""
    query = request.GET.copy()
    for name in (PAGE_VAR, AFTER, BEFORE):
        query.pop(name, None)
    # Of all jobs: the newest that matches would be sought for through all that are younger.
    newest = Job.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    chosen = ChosenFilter(verb, query.urlencode(), newest)
    form = FilterForm(initial={"filter": chosen.sign()}, verb=VERBS[verb])
    return _render(model_admin, request, chosen, form, build_options_form(VERBS[verb]))


def show_bulk_filter(model_admin: Any, request: HttpRequest, verb: str) -> HttpResponseBase:
    """Start the verb on all jobs that the signed filter matches now, but those that are younger than its preview."""
    model_admin.require_view_permission(request)
    if not has_permission(request.user, VERBS[verb].permission):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = FilterForm(request.POST, verb=VERBS[verb])
    try:
        chosen = ChosenFilter.read(request.POST.get("filter", ""))
        if chosen.verb != verb:
            raise signing.BadSignature(f"This filter was signed for {chosen.verb}.")
        jobs = list_matching(model_admin, request, chosen)
    except (signing.BadSignature, IncorrectLookupParameters):
        messages.warning(
            request, _("This page is too old, or was changed. Choose the jobs again; nothing was changed.")
        )
        return HttpResponseRedirect(model_admin.build_changelist_url())
    options_form = build_options_form(VERBS[verb], request)
    if not are_all_valid(form, options_form):
        return _render(model_admin, request, chosen, form, options_form)
    return start_bulk_run(
        model_admin,
        request,
        verb,
        jobs,
        options=read_options(options_form),
        reason=form.cleaned_data["reason"],
        stop_on_failure=form.cleaned_data.get("stop", False),
    )


def list_matching(model_admin: Any, request: HttpRequest, chosen: ChosenFilter) -> QuerySet[Job]:
    """Return the jobs that the filter matches, among those that the user may see."""
    rows: QuerySet[Job] = build_changelist(model_admin, request, chosen.query).queryset
    return rows.filter(pk__lte=chosen.newest)


def build_changelist(model_admin: Any, request: HttpRequest, query: str) -> ChangeList:
    """Return the Job list as it would be at this query string."""
    at_list = copy.copy(request)
    at_list.GET = QueryDict(query)
    changelist: ChangeList = model_admin.get_changelist_instance(at_list)
    return changelist


def describe_filter(changelist: ChangeList) -> list[tuple[str, str]]:
    """Return the filters that are set, as pairs of title and choice."""
    shown = []
    for spec in changelist.filter_specs:
        value = str(getattr(spec, "value", lambda: None)() or "")
        labels = {str(choice): str(label) for choice, label in getattr(spec, "lookup_choices", ())}
        if value:
            shown.append((str(spec.title), labels.get(value, value)))
    if changelist.query:
        shown.append((_("search"), str(changelist.query)))
    return shown


def _render(
    model_admin: Any, request: HttpRequest, chosen: ChosenFilter, form: FilterForm, options_form: InputForm | None
) -> HttpResponseBase:
    changelist = build_changelist(model_admin, request, chosen.query)
    verb = VERBS[chosen.verb]
    return model_admin.render(  # type: ignore[no-any-return]
        request,
        "django_wfe/console/bulk_filter.html",
        title=_("%(verb)s – all jobs that match") % {"verb": verb.label},
        crumbs=[model_admin.list_crumb()],
        verb=verb,
        filters=describe_filter(changelist),
        list_query=chosen.query,
        preview=preview_bulk(chosen.verb, changelist.queryset.filter(pk__lte=chosen.newest)),
        form=form,
        options_form=options_form,
        media=options_form.media if options_form is not None else None,
    )
