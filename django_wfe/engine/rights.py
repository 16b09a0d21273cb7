"""Who may do what. Every service call and every page asks here.

``actor=None`` stands for trusted Python code: it may do everything. Views pass the user of the request, always.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from django_wfe.exceptions import PermissionRequired
from django_wfe.models import Job, Workflow


def has_permission(actor: Any, permission: str, workflow: Workflow | None = None) -> bool:
    """Tell whether a user has a permission such as ``"django_wfe.cancel_job"``, for one workflow where that matters."""
    return actor is None or bool(actor.is_active and actor.has_perm(permission))


def require_permission(actor: Any, permission: str, workflow: Workflow | None = None) -> None:
    """Raise PermissionRequired where ``has_permission`` says no."""
    if not has_permission(actor, permission, workflow):
        raise PermissionRequired(
            f"{actor} may not do this: it needs the permission {permission}.", permission=permission
        )


def list_visible_jobs(actor: Any) -> QuerySet[Job]:
    """Give the jobs that a user may see."""
    return Job.objects.all() if has_permission(actor, "django_wfe.view_job") else Job.objects.none()


def list_visible_workflows(actor: Any) -> QuerySet[Workflow]:
    """Give the workflows that a user may see."""
    return Workflow.objects.all() if has_permission(actor, "django_wfe.view_workflow") else Workflow.objects.none()
