"""Finding what the arguments name: the user, a workflow, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from django_wfe.engine import lifecycle as engine
from django_wfe.engine.access import find_person, list_visible_jobs, list_visible_workflows, list_workflows_in_sight
from django_wfe.engine.lifecycle import explain_unknown, list_declared_as
from django_wfe.engine.queries.found_by import read_found_by
from django_wfe.engine.queries.incidents import jobs_of_incident
from django_wfe.exceptions import UnknownWorkflow, WFEException
from django_wfe.management.job_commands.output import REFUSED, refuse, reject
from django_wfe.models import Job, Workflow
from django_wfe.values.identifiers import parse_id


def find_user(name: str | None) -> Any:
    """Return the user of this name; None, which stands for trusted code, where no name is given."""
    if name is None:
        return None
    user = find_person(name)
    if user is None:
        raise reject(_("There is no user %(name)r.") % {"name": name})
    return user


def find_workflow(name: str, user: Any) -> Workflow:
    """Return the workflow of this id, dotted path, name or label, among those in the user's sight.

    A name or label counts where only one workflow has it.
    """
    known = list_workflows_in_sight(user)
    number = parse_id(name)
    if number is not None:
        found = list(known.filter(pk=number))
    else:
        found = list(known.filter(path=name)) or list(known.filter(Q(name=name) | Q(label=name)))
    if len(found) == 1:
        return found[0]
    if found:
        paths = ", ".join(workflow.path for workflow in found)
        raise reject(_("Several workflows are called %(name)s. Use one of: %(paths)s") % {"name": name, "paths": paths})
    paths = ", ".join(list_visible_workflows(user).filter(deleted=False).values_list("path", flat=True))
    cure = _("There are: %(paths)s") % {"paths": paths} if paths else explain_unknown(name, user)
    raise refuse(_("There is no workflow %(name)s. %(cure)s") % {"name": name, "cure": cure})


def find_startable_workflow(name: str, user: Any) -> Workflow:
    """Return the workflow of this name, as ``find_workflow``. One that is declared and not read yet is recorded."""
    try:
        return find_workflow(name, user)
    except CommandError as error:
        declared = list_declared_as(name) if error.returncode == REFUSED else []
        if len(declared) != 1:
            raise
        unknown = error
    try:
        return engine.find_workflow(declared[0], user)
    except UnknownWorkflow:  # out of the user's sight
        raise unknown from None
    except WFEException as error:
        raise refuse(str(error)) from error


def find_job(job_id: int, user: Any) -> Job:
    """Return a job that the user may see."""
    job = list_visible_jobs(user).select_related("workflow").filter(pk=parse_id(job_id) or 0).first()
    if job is None:
        raise refuse(_("There is no job %(id)s.") % {"id": job_id})
    return job


def choose_jobs(
    user: Any,
    *,
    states: Sequence[str],
    workflows: Sequence[str],
    incident: str,
    attributes: Sequence[str],
    subject: str,
    limit: int | None = None,
) -> QuerySet[Job]:
    """Return the jobs that the user may see and that match every filter; with ``limit`` only the oldest."""
    jobs = list_visible_jobs(user)
    try:
        found_by = read_found_by(attributes, subject)
    except ValueError as error:
        raise reject(str(error)) from error
    if incident:
        jobs = jobs & jobs_of_incident(incident)
    if states:
        jobs = jobs.filter(state__in=states)
    if workflows:
        jobs = jobs.filter(workflow__in=[find_workflow(name, user).pk for name in workflows])
    jobs = found_by.narrow_jobs(jobs)
    if limit is not None:
        jobs = Job.objects.filter(pk__in=jobs.order_by("pk").values("pk")[:limit])
    return jobs
