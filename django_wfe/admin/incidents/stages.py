"""What an incident offers: each verb for one job, for ten, for all, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.engine.access import has_permission
from django_wfe.engine.lifecycle import VERBS, Verb
from django_wfe.models import Workflow

STAGES = {"one": 1, "ten": 10, "all": 0}
"""How many jobs each stage takes; 0: all."""

REPAIRS = ("retry", "skip", "cancel")
"""The verbs that an incident offers, in the order of its buttons."""

STOPPING = ("retry", "skip")
"""Those after which a job goes on, so that the failure can come back."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A verb that an incident offers, and whether the user may use it."""

    verb: Verb
    stages: Mapping[str, str]
    is_allowed: bool


def list_repairs(user: Any, workflow: Workflow) -> list[Repair]:
    """Return the verbs that an incident offers, with the names of their stages."""
    return [
        Repair(
            VERBS[name],
            {stage: describe_stage(name, stage) for stage in STAGES},
            has_permission(user, VERBS[name].permission, workflow),
        )
        for name in REPAIRS
    ]


def describe_stage(verb: str, stage: str) -> str:
    """Return a stage's name."""
    names = {
        "retry": {"one": _("Retry one job"), "ten": _("Retry ten jobs"), "all": _("Retry all jobs")},
        "skip": {"one": _("Skip in one job"), "ten": _("Skip in ten jobs"), "all": _("Skip in all jobs")},
        "cancel": {"one": _("Cancel one job"), "ten": _("Cancel ten jobs"), "all": _("Cancel all jobs")},
    }
    return names[verb][stage]


def describe_effect(verb: str, count: int, label: str) -> str:
    """Return what happens to so many jobs at a step."""
    if verb == "skip":
        sentence = ngettext(
            "“%(step)s” does not run in %(count)s job, which goes on with the result that you enter.",
            "“%(step)s” does not run in %(count)s jobs, which go on with the result that you enter.",
            count,
        )
    elif verb == "cancel":
        sentence = ngettext(
            "%(count)s job that failed at “%(step)s” ends as canceled and cannot be taken up again.",
            "%(count)s jobs that failed at “%(step)s” end as canceled and cannot be taken up again.",
            count,
        )
    else:
        sentence = ngettext(
            "%(count)s job starts again at “%(step)s”.", "%(count)s jobs start again at “%(step)s”.", count
        )
    return sentence % {"count": count, "step": label}
