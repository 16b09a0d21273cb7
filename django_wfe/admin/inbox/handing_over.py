"""Handing a colleague's work over: all that one person holds, to another."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_wfe.admin.elements.counts import write_count
from django_wfe.admin.elements.form_fields import ReasonField, UncutField
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.inbox.assigning import list_names
from django_wfe.admin.inbox.filters import PEOPLE_SHOWN
from django_wfe.engine.access import PROVIDE_INPUT, find_person, has_permission
from django_wfe.engine.lifecycle import HandedOver, Holder, Source, hand_over, list_holders
from django_wfe.exceptions import PermissionRequired
from django_wfe.models import Job

COUNTED = 100
"""How many questions of each person are counted at most."""


class HandOverForm(forms.Form):
    """From whom to whom."""

    holder = forms.ChoiceField(label=gettext_lazy("From whom"), widget=forms.RadioSelect)
    person = UncutField(
        label=gettext_lazy("To whom"),
        max_length=254,
        help_text=gettext_lazy("The name that they sign in with."),
        widget=forms.TextInput(attrs={"list": "wfe-people", "autocomplete": "off", "class": "vTextField"}),
    )
    reason = ReasonField(help_text=gettext_lazy("Kept in the history of each job."))

    def __init__(self, data: Any, *, holders: list[Holder], **options: Any) -> None:
        """Build it with those who hold anything to choose from."""
        super().__init__(data, **options)
        self.holders = {str(holder.user.pk): holder for holder in holders}
        choices = [(key, _describe(holder)) for key, holder in self.holders.items()]
        field = self.fields["holder"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        field.choices = choices

    def clean_person(self) -> Any:
        """Return the user of this name."""
        person = find_person(self.cleaned_data["person"])
        if person is None:
            raise forms.ValidationError(
                _("There is no user “%(name)s”."), params={"name": self.cleaned_data["person"]}, code="unknown"
            )
        return person

    def clean(self) -> dict[str, Any]:
        """Refuse to hand work over to whoever has it."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        person = cleaned.get("person")
        if person is not None and cleaned.get("holder") == str(person.pk):
            self.add_error("person", _("They have it already: name somebody else."))
        return cleaned


def show_hand_over(model_admin: ConsoleAdmin[Job], request: HttpRequest) -> HttpResponseBase:
    """Show who holds how much, and hand the work of one of them over when that is posted."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    model_admin.require_view_permission(request)
    if not has_permission(request.user, PROVIDE_INPUT):
        raise PermissionDenied
    holders = list_holders(request.user, COUNTED)[:PEOPLE_SHOWN]
    form = HandOverForm(request.POST or None, holders=holders, initial={"holder": request.GET.get("person", "")})
    if request.method == "POST" and form.is_valid():
        holder, person = form.holders[form.cleaned_data["holder"]].user, form.cleaned_data["person"]
        try:
            done = hand_over(holder, person, request.user, reason=form.cleaned_data["reason"], source=Source.ADMIN)
        except PermissionRequired as error:
            raise PermissionDenied from error
        _tell(request, done, holder, person)
        return HttpResponseRedirect(model_admin.build_url("django_wfe_inbox"))
    return model_admin.render(
        request,
        "django_wfe/console/hand_over.html",
        title=_("Hand work over"),
        crumbs=[Crumb(_("Inbox"), model_admin.build_url("django_wfe_inbox"))],
        media=forms.Media(css={"all": ["django_wfe/inbox.css"]}),
        form=form,
        people=list_names(),
        has_holders=bool(holders),
    )


def _tell(request: HttpRequest, done: HandedOver, holder: Any, person: Any) -> None:
    values = {"count": write_count(done.moved), "from": holder, "to": person}
    if done.moved:
        sentence = ngettext(
            "%(count)s question of %(from)s is assigned to %(to)s now.",
            "%(count)s questions of %(from)s are assigned to %(to)s now.",
            done.moved,
        )
        messages.success(request, sentence % values)
    else:
        messages.warning(request, _("Nothing was changed: %(from)s holds nothing that %(to)s may answer.") % values)
    if done.kept:
        sentence = ngettext(
            "%(count)s question stays with %(from)s: %(to)s may not answer it.",
            "%(count)s questions stay with %(from)s: %(to)s may not answer them.",
            done.kept,
        )
        messages.warning(request, sentence % {**values, "count": write_count(done.kept)})


def _describe(holder: Holder) -> str:
    count = write_count(holder.count, is_more=holder.is_more)
    sentence = ngettext("%(person)s: %(count)s question", "%(person)s: %(count)s questions", holder.count)
    return sentence % {"person": holder.user, "count": count}
