"""Choosing jobs by the query string."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from django_wfe.engine.queries.found_by import FoundBy, read_found_by
from django_wfe.models import Job, JobState
from django_wfe.values.identifiers import parse_id


def filter_jobs(jobs: QuerySet[Job], parameters: QueryDict) -> QuerySet[Job]:
    """Keep the jobs in one of the states, of one of the workflows, and with all of the attributes that are named.

    ``state`` and ``workflow`` (an id) may each come several times, and hold several values with commas between;
    ``attribute`` may come several times.

    Raises:
        ValidationError: for a state, a workflow, an attribute or a subject that is none.
    """
    errors: dict[str, list[str]] = {}
    states = _list_values(parameters, "state")
    unknown = sorted(set(states) - set(JobState))
    if unknown:
        known = ", ".join(JobState)
        errors["state"] = [_("%(value)r is not a state. Use one of %(known)s.") % {"value": unknown[0], "known": known}]
    workflows = {value: parse_id(value) for value in _list_values(parameters, "workflow")}
    no_ids = [value for value, number in workflows.items() if number is None]
    if no_ids:
        errors["workflow"] = [_("%(value)r is not the id of a workflow. Use a number.") % {"value": no_ids[0]}]
    found_by = FoundBy()
    for name, attributes, subject in (
        ("attribute", parameters.getlist("attribute"), ""),
        ("subject", [], parameters.get("subject", "")),
    ):
        try:
            found_by |= read_found_by(attributes, subject)
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise ValidationError(errors)
    if states:
        jobs = jobs.filter(state__in=states)
    if workflows:
        jobs = jobs.filter(workflow_id__in=list(workflows.values()))
    return found_by.narrow_jobs(jobs)


def _list_values(parameters: QueryDict, name: str) -> list[str]:
    values = (value.strip() for given in parameters.getlist(name) for value in given.split(","))
    return [value for value in values if value]
