"""What the groups of Workflows put out of a person's sight. Permissions are not looked at here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F, Func, QuerySet, TextField

from django_wfe.models import BulkRun, Definition, Step, Workflow


def is_in_sight(actor: Any, workflow: Workflow) -> bool:
    """Return whether a Workflow names no groups, or one of the actor's."""
    if not workflow.groups or sees_everything(actor):
        return True
    return not set(workflow.groups).isdisjoint(_list_group_names(actor))


def sees_everything(actor: Any) -> bool:
    """Return whether no group keeps anything from the actor: trusted code, or a superuser."""
    return actor is None or bool(getattr(actor, "is_superuser", False))


def list_workflows_in_sight(actor: Any) -> QuerySet[Workflow]:
    """Return the Workflows that no group keeps from the actor."""
    if sees_everything(actor):
        return Workflow.objects.all()
    return Workflow.objects.exclude(pk__in=list_closed_workflows(actor))


def list_closed_workflows(actor: Any) -> QuerySet[Workflow]:
    """Return the Workflows that name groups, none of them the actor's. As a subquery: few rows, hashed once."""
    closed = Workflow.objects.exclude(groups=[]).order_by().only("pk")
    for name in _list_group_names(actor):
        closed = closed.exclude(groups__contains=[name])
    return closed


def list_steps_in_sight(actor: Any) -> QuerySet[Step]:
    """Return the Steps that no closed Workflow ever had, or that an open one has now."""
    steps = Step.objects.all()
    if sees_everything(actor):
        return steps
    closed = list_closed_workflows(actor)
    hidden = steps.filter(path__in=_list_paths(Definition.objects.filter(workflow__in=closed)))
    open_now = Workflow.objects.exclude(pk__in=closed).order_by().values("current_definition")
    shown = _list_paths(Definition.objects.filter(pk__in=open_now))
    return steps.exclude(pk__in=hidden.exclude(path__in=shown).order_by().values("pk"))


def are_jobless_in_sight(actor: Any, bulk: BulkRun) -> bool:
    """Return whether no group keeps a bulk run's entries without a Job from the actor."""
    return bulk.workflow is None or is_in_sight(actor, bulk.workflow)


def find_nodes_in_sight(actor: Any, paths: Iterable[str]) -> set[str]:
    """Return those of these dotted paths whose nodes are in the actor's sight. At most one query."""
    asked = set(paths)
    if not asked or sees_everything(actor):
        return asked
    known = Step.objects.filter(path__in=asked)
    hidden = known.exclude(pk__in=list_steps_in_sight(actor).order_by().values("pk"))
    return asked - set(hidden.values_list("path", flat=True))


def _list_paths(definitions: QuerySet[Definition]) -> QuerySet[Any, Any]:
    """Return the dotted paths of all nodes of these definitions."""
    path = Func(
        F("graph"), template="jsonb_path_query(%(expressions)s, '$.nodes[*].path') #>> '{}'", output_field=TextField()
    )
    return definitions.order_by().values_list(path, flat=True)


def _list_group_names(actor: Any) -> list[str]:
    """Return the names of a user's groups, asked for once in the life of the object, as Django asks for permissions."""
    names: list[str] | None = getattr(actor, "_wfe_group_names", None)
    if names is None:
        groups = getattr(actor, "groups", None)  # a user model of the project's own may have none
        names = list(groups.values_list("name", flat=True)) if groups is not None else []
        actor._wfe_group_names = names
    return names
