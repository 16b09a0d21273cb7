"""The buttons that assign, release, take over and assign to somebody else: the same wherever a question is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_wfe.admin.frame.history import log_action
from django_wfe.engine.access import find_person, list_people
from django_wfe.engine.lifecycle import Source, assign_input, assign_to, release_input
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.exceptions import PermissionRequired, WFEException
from django_wfe.models import StepRun

PEOPLE_OFFERED = 200
"""So many people are offered at most; of more, the name is typed."""

_DONE: Mapping[str, Callable[[], str]] = {
    "assign": lambda: _("“%(step)s” is assigned to you."),
    "release": lambda: _("Released “%(step)s”."),
    "take_over": lambda: _("Took over “%(step)s”."),
}


def change_assignment(request: HttpRequest, step_run_id: int, action: str, holder: str) -> None:
    """Claim, release or take over a step run for the user, and write it into the admin's history.

    Args:
        action: "assign", "release" or "take_over".
        holder: the key, as text, of the user whom the page showed as having it; "" for nobody.

    Raises:
        WFEException: as of ``assign_input`` and ``release_input``.
    """
    user: Any = request.user
    if action == "release":
        release_input(step_run_id, user, source=Source.ADMIN)
    else:
        expected = holder or None if action == "take_over" else None
        assign_input(step_run_id, user, take_over_from=expected, source=Source.ADMIN)
    _log(request, step_run_id, _DONE[action]())


def assign_to_person(request: HttpRequest, step_run_id: int) -> bool:
    """Assign a step run to the person whose name was posted, say what came of it, and return whether it was done."""
    name = request.POST.get("person", "").strip()
    person = find_person(name)
    if person is None:
        messages.warning(request, _("Nothing was changed: there is no user “%(name)s”.") % {"name": name})
        return False
    try:
        assign_to(step_run_id, person, request.user, held_by=request.POST.get("holder") or None, source=Source.ADMIN)
    except PermissionRequired as error:
        raise PermissionDenied from error
    except WFEException as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
        return False
    sentence = _log(request, step_run_id, _("“%(step)s” is assigned to %(person)s."), person=person)
    messages.success(request, sentence)
    return True


def list_names() -> list[tuple[str, str]]:
    """Return people who may answer, by the names that they sign in with and, if they have one, their full names."""
    found = []
    for person in list_people()[:PEOPLE_OFFERED]:
        get_full_name = getattr(person, "get_full_name", None)
        found.append((person.get_username(), str(get_full_name() or "") if get_full_name is not None else ""))
    return found


def _log(request: HttpRequest, step_run_id: int, sentence: str, **values: Any) -> str:
    step_run = StepRun.objects.select_related("job__workflow").only("step", "job__workflow__name").get(pk=step_run_id)
    written = sentence % {"step": load_node_names([step_run.step])[step_run.step], **values}
    log_action(request, step_run.job, written)
    return written
