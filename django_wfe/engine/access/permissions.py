"""What a person may do: the permissions of Django's own models, narrowed by groups and by the project's policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django_wfe.engine.access.actors import name_actor
from django_wfe.engine.access.permission_names import list_sufficient, name_permission
from django_wfe.engine.access.policy import ANSWER_VERB, VIEW_DATA_VERB, get_policy, is_allowed, is_job_in_sight
from django_wfe.engine.access.sight import is_in_sight
from django_wfe.exceptions import PermissionRequired, UnknownJob, UnknownWorkflow
from django_wfe.models import Job, Workflow
from django_wfe.values.sentences import gettext as _

PAUSE_WORKFLOW = "django_wfe.pause_workflow"
PROVIDE_INPUT = "django_wfe.provide_input_job"
VIEW_DATA = "django_wfe.view_job_data"
"""What seeing inputs, results, logs and errors asks for."""


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
            # By the name that the admin lists, and by that of programs and commands.
            _("%(actor)s may not do this: it needs the permission “%(permission)s” (%(codes)s).")
            % {
                "actor": name_actor(actor),
                "permission": name_permission(permission),
                "codes": ", ".join(list_sufficient(permission)),
            },
            permission=permission,
        )


def may(actor: Any, verb: str, permission: str, job: Job) -> bool:
    """Return whether a user may do something with a Job that is in their sight; it comes with its workflow.

    Args:
        verb: what the policy calls it: the name of a verb, ``ANSWER_VERB`` or ``VIEW_DATA_VERB``.
    """
    return has_permission(actor, permission, job.workflow) and is_allowed(actor, verb, job)


def may_answer(actor: Any, job: Job) -> bool:
    """Return whether a user may give this Job input, and hold its questions."""
    return may(actor, ANSWER_VERB, PROVIDE_INPUT, job)


def may_view_data(actor: Any, job: Job) -> bool:
    """Return whether a user may see the inputs, results, logs and errors of this Job."""
    return may(actor, VIEW_DATA_VERB, VIEW_DATA, job)


def find_jobs_with_data(actor: Any, job_ids: Iterable[int]) -> set[int]:
    """Return those of these Jobs whose data a user may see. All are in their sight. A query only where a policy is."""
    if not has_permission(actor, VIEW_DATA):
        return set()
    if actor is None or get_policy() is None:
        return set(job_ids)
    jobs = Job.objects.filter(pk__in=set(job_ids)).select_related("workflow").defer("error")
    return {job.pk for job in jobs if is_allowed(actor, VIEW_DATA_VERB, job)}


def require_for_job(actor: Any, verb: str, permission: str, job: Job) -> None:
    """Ask for a permission on a Job, which comes with its workflow.

    Args:
        verb: as of ``may``.

    Raises:
        UnknownJob: the Job is out of the actor's sight.
        PermissionRequired: as of ``require_permission``, or the project's policy refuses it.
    """
    if not is_job_in_sight(actor, job):
        raise UnknownJob(_("There is no job %(job)s.") % {"job": job.pk})
    require_permission(actor, permission)
    require_allowed(actor, verb, permission, job)


def require_allowed(actor: Any, verb: str, permission: str, job: Job) -> None:
    """Raise PermissionRequired if the project's policy refuses it."""
    if not is_allowed(actor, verb, job):
        raise PermissionRequired(
            _("%(actor)s may not do this: the policy of this project refuses it.") % {"actor": name_actor(actor)},
            permission=permission,
        )
