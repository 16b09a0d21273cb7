"""Who may do what. Every service call and every page asks here.

A right is a model permission (to start Jobs: one of two), and for a Workflow that names groups, membership in one of
them besides.

``actor=None`` stands for trusted Python code: it may do everything. Views pass the user of the request, always.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from django_wfe.conf import DATABASE
from django_wfe.exceptions import PermissionRequired
from django_wfe.models import DefinitionModule, Job, Workflow

START_JOBS = "django_wfe.add_job"
"""What starting a Job asks for."""

EQUIVALENTS = {START_JOBS: ("django_wfe.run_workflow",)}
"""What may be held in the place of a permission. Asking for the permission asks for these as well."""


def has_permission(actor: Any, permission: str, workflow: Workflow | None = None) -> bool:
    """Tell whether a user has a permission such as ``"django_wfe.cancel_job"``, for one workflow where it is given."""
    if actor is None:
        return True
    if not (actor.is_active and any(actor.has_perm(held) for held in list_sufficient(permission))):
        return False
    return workflow is None or _is_let_in(actor, workflow)


def require_permission(actor: Any, permission: str, workflow: Workflow | None = None) -> None:
    """Raise PermissionRequired where ``has_permission`` says no."""
    if has_permission(actor, permission, workflow):
        return
    if has_permission(actor, permission) and workflow is not None:
        raise PermissionRequired(
            _("%(actor)s may not do this: %(workflow)s is for the groups %(groups)s only.")
            % {"actor": actor, "workflow": workflow.path, "groups": ", ".join(workflow.groups)},
            permission=permission,
        )
    raise PermissionRequired(
        _("%(actor)s may not do this: it needs the permission %(permission)s.")
        % {"actor": actor, "permission": describe_permission(permission)},
        permission=permission,
    )


def name_actor(actor: Any) -> str:
    """Give the name under which an actor is kept beside what they did, since the user may be deleted; "" for None."""
    return str(actor)[:255] if actor is not None else ""


def key_actor(actor: Any) -> Any:
    """Return the key of an actor as the driver takes it, whatever type the user model gives it; None for None."""
    key = None if actor is None else actor.pk
    if key is None or type(key) is int:
        return key
    return actor._meta.pk.get_db_prep_save(key, connections[DATABASE])


def list_sufficient(permission: str) -> tuple[str, ...]:
    """Give the permissions of which any one suffices where this one is asked for, itself first."""
    return (permission, *EQUIVALENTS.get(permission, ()))


def describe_permission(permission: str) -> str:
    """Name a permission in a sentence, with what may be held in its place."""
    named, *others = list_sufficient(permission)
    for other in others:
        named = _("%(one)s or %(other)s") % {"one": named, "other": other}
    return named


def list_visible_jobs(actor: Any) -> QuerySet[Job]:
    """Give the jobs that a user may see."""
    if not has_permission(actor, "django_wfe.view_job"):
        return Job.objects.none()
    if actor is None or _is_superuser(actor):
        return Job.objects.all()
    return Job.objects.exclude(workflow__in=_list_closed_workflows(actor))


def list_visible_workflows(actor: Any) -> QuerySet[Workflow]:
    """Give the workflows that a user may see."""
    if not has_permission(actor, "django_wfe.view_workflow"):
        return Workflow.objects.none()
    if actor is None or _is_superuser(actor):
        return Workflow.objects.all()
    return Workflow.objects.exclude(pk__in=_list_closed_workflows(actor))


def list_visible_modules(actor: Any) -> QuerySet[DefinitionModule]:
    """Give the modules of definitions that a user may see: those that name no workflow which is closed to the user."""
    if not has_permission(actor, "django_wfe.view_workflow"):
        return DefinitionModule.objects.none()
    modules = DefinitionModule.objects.all()
    if actor is None or _is_superuser(actor):
        return modules
    for path in _list_closed_workflows(actor).values_list("path", flat=True):
        modules = modules.exclude(workflows__contains=[path])
    return modules


def _list_closed_workflows(actor: Any) -> QuerySet[Workflow]:
    """Give the workflows that name groups, none of them the user's. As a subquery: few rows, hashed once."""
    closed = Workflow.objects.exclude(groups=[]).order_by().only("pk")
    for name in _list_group_names(actor):
        closed = closed.exclude(groups__contains=[name])
    return closed


def _is_let_in(actor: Any, workflow: Workflow) -> bool:
    if not workflow.groups or _is_superuser(actor):
        return True
    return not set(workflow.groups).isdisjoint(_list_group_names(actor))


def _is_superuser(actor: Any) -> bool:
    return bool(getattr(actor, "is_superuser", False))


def _list_group_names(actor: Any) -> list[str]:
    """Give the names of a user's groups, asked for once in the life of the object, as Django does with permissions."""
    names: list[str] | None = getattr(actor, "_wfe_group_names", None)
    if names is None:
        groups = getattr(actor, "groups", None)  # a user model of the project's own may have none
        names = list(groups.values_list("name", flat=True)) if groups is not None else []
        actor._wfe_group_names = names
    return names
