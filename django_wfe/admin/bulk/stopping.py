"""Retrying jobs of the list in stages: which failures they stand at, so that one that comes back stops the rest."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.lifecycle import Verb
from django_wfe.engine.queries import incidents
from django_wfe.states import JobState

MOST = 20
"""How many failures a bulk run may wait for: workers look for each of them again and again."""


def may_stop(verb: Verb) -> bool:
    """Return whether a verb is for failed jobs, whose failures may come back."""
    return verb.wanted_in == (JobState.FAILED,)


def build_stop_field() -> forms.BooleanField:
    """Return the field that asks for it."""
    return forms.BooleanField(
        label=gettext_lazy("Stop when a failure comes back"),
        required=False,
        help_text=gettext_lazy(
            "Workers start with the oldest job, then take as many at a time as went well before, and stop if one of "
            "them fails again where these jobs failed."
        ),
    )


def list_fingerprints(user: Any, jobs: Collection[int]) -> list[str]:
    """Return the failures of those jobs that a user may see, each once; at most one more than ``MOST``."""
    seen = list_visible_jobs(user).filter(pk__in=jobs)
    return sorted(set(filter(None, incidents.list_fingerprints(seen, len(jobs)))))[: MOST + 1]
