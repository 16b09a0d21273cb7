"""Columns of what steps are given and give: JSON, or a reference to a file with it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from django_wfe.values.large_values import resolve, resolve_wrapped


class _PayloadAttribute(DeferredAttribute):
    def __get__(self, instance: Any, cls: Any = None) -> Any:
        found = super().__get__(instance, cls)
        if instance is None:
            return found
        # Read when it is asked for: a row that is locked, listed or counted needs no file.
        field: Any = self.field
        return resolve_wrapped(found) if field.is_wrapped else resolve(found)

    def __set__(self, instance: Any, value: Any) -> None:
        # With it, an attribute of this class goes before what stands in the instance.
        instance.__dict__[self.field.attname] = value


class PayloadField(models.JSONField):
    """A JSONField whose attribute is the value also where that is in a file, and read from there at each access.

    Queries that read the column itself (``values_list``) get the reference: ``values.large_values.resolve`` reads it.

    Args:
        is_wrapped: whether the value stands under the name "value" in the column.
    """

    descriptor_class = _PayloadAttribute

    def __init__(self, *args: Any, is_wrapped: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_wrapped = is_wrapped

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  (Django's own signature)
        """Return what is written: the reference stays one."""
        return model_instance.__dict__[self.attname]

    def deconstruct(self) -> Any:
        """Return it for migrations as what it is in the database."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs
