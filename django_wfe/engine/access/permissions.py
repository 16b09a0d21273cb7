"""What a person may do: the permissions of Django's own models, narrowed by the groups of Workflows."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from django_wfe.engine.access.actors import name_actor
from django_wfe.engine.access.sight import is_in_sight
from django_wfe.exceptions import PermissionRequired, UnknownJob, UnknownWorkflow
from django_wfe.models import Job, Workflow

START_JOBS = "django_wfe.add_job"
"""What starting a Job asks for."""

PAUSE_WORKFLOW = "django_wfe.pause_workflow"
PROVIDE_INPUT = "django_wfe.provide_input_job"
VIEW_DATA = "django_wfe.view_job_data"
"""What seeing inputs, results, logs and errors asks for."""

EQUIVALENTS = {START_JOBS: ("django_wfe.run_workflow",)}
"""What may be held in the place of a permission. Asking for the permission asks for these as well."""


def has_permission(actor: Any, permission: str, workflow: Workflow | None = None) -> bool:
    """Return whether a user has a permission such as ``"django_wfe.cancel_job"``, for one workflow if given."""
    if actor is None:
        return True
    if not (actor.is_active and any(actor.has_perm(held) for held in list_sufficient(permission))):
        return False
    return workflow is None or is_in_sight(actor, workflow)


def require_permission(actor: Any, permission: str, workflow: Workflow | None = None) -> None:
    """Ask for a permission, for one workflow where it is given.

    Raises:
        UnknownWorkflow: the workflow is out of the actor's sight. What names it says no more than of one that there is
            not, and no permission is told to be lacking.
        PermissionRequired: ``has_permission`` says no.
    """
    if workflow is not None and not is_in_sight(actor, workflow):
        raise UnknownWorkflow(_("There is no workflow %(workflow)r.") % {"workflow": workflow.pk})
    if not has_permission(actor, permission):
        raise PermissionRequired(
            _("%(actor)s may not do this: it needs the permission %(permission)s.")
            % {"actor": name_actor(actor), "permission": describe_permission(permission)},
            permission=permission,
        )


def require_for_job(actor: Any, permission: str, job: Job) -> None:
    """Ask for a permission on a Job, which comes with its workflow.

    Raises:
        UnknownJob: the Job is out of the actor's sight.
        PermissionRequired: as of ``require_permission``.
    """
    if not is_in_sight(actor, job.workflow):
        raise UnknownJob(_("There is no job %(job)s.") % {"job": job.pk})
    require_permission(actor, permission)


def list_sufficient(permission: str) -> tuple[str, ...]:
    """Return the permissions of which any one suffices where this one is asked for, itself first."""
    return (permission, *EQUIVALENTS.get(permission, ()))


def describe_permission(permission: str) -> str:
    """Name a permission in a sentence, with what may be held in its place."""
    named, *others = list_sufficient(permission)
    for other in others:
        named = _("%(one)s or %(other)s") % {"one": named, "other": other}
    return named
