"""The buttons that assign, release and take over: the same in the inbox and on the page of a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_wfe.admin.frame.history import log_action
from django_wfe.engine.lifecycle import Source, assign_input, release_input
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.models import StepRun

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
    step_run = StepRun.objects.select_related("job__workflow").only("step", "job__workflow__name").get(pk=step_run_id)
    label = load_node_names([step_run.step])[step_run.step]
    log_action(request, step_run.job, _DONE[action]() % {"step": label})
