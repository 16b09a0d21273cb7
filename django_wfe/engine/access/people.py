"""Who may answer: the people to whom a question can be assigned."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Exists, OuterRef, Q, QuerySet

from django_wfe.engine.access.permissions import PROVIDE_INPUT, has_permission, may_answer
from django_wfe.engine.access.policy import is_job_in_sight
from django_wfe.models import Job


def list_people() -> QuerySet[Any]:
    """Return the active users who hold the permission to answer, by themselves or through a group, by their names.

    A user model without Django's permissions gives all its users; ``may_be_assigned`` has the last word.
    """
    model: Any = get_user_model()
    people: QuerySet[Any] = model._default_manager.order_by(model.USERNAME_FIELD)
    if _has_field(model, "is_active"):
        people = people.filter(is_active=True)
    if not issubclass(model, PermissionsMixin):
        return people
    codename = PROVIDE_INPUT.partition(".")[2]
    named = {"content_type__app_label": "django_wfe", "codename": codename}
    own = Exists(_list_permissions(model, "user_permissions", named))
    shared = Exists(_list_permissions(model, "groups__permissions", named))
    return people.filter(Q(is_superuser=True) | own | shared)


def find_person(name: str) -> Any:
    """Return the user of a name, as it is typed to sign in, or None."""
    model: Any = get_user_model()
    if not name or "\0" in name:
        return None
    return model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()


def may_be_assigned(person: Any, job: Job) -> bool:
    """Return whether a question of this Job, which comes with its workflow, can be assigned to a user."""
    return has_permission(person, "django_wfe.view_job") and is_job_in_sight(person, job) and may_answer(person, job)


def _list_permissions(model: Any, path: str, named: dict[str, str]) -> QuerySet[Any]:
    conditions = {f"{path}__{name}": value for name, value in named.items()}
    holders: QuerySet[Any] = model._base_manager.filter(pk=OuterRef("pk"), **conditions)
    return holders


def _has_field(model: Any, name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
