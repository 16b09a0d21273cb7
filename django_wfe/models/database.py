"""What keeps the engine's rows in one database, ``WFE_DATABASE``, whatever the project's routers say.

The engine decides by what it reads: a replica that lags would show it runs that are over and hide those that wait. So
its models do not ask a router. An alias that a caller names (``Job.objects.using("replica")``) is used all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from django.db import models
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor, ForwardOneToOneDescriptor

from django_wfe.conf import DATABASE

_Row = TypeVar("_Row", bound=models.Model)


class EngineQuerySet(models.QuerySet[_Row]):
    """A query for rows of the engine: in the engine's database, unless ``using`` says otherwise."""

    @property
    def db(self) -> str:
        """The alias of the database that is asked."""
        return self._db or DATABASE  # type: ignore[attr-defined]


class EngineManager(models.Manager[_Row]):
    """The default manager and the base manager of each of the engine's models."""

    @property
    def db(self) -> str:
        """The alias of the database that is asked."""
        return self._db or DATABASE

    def get_queryset(self) -> models.QuerySet[_Row]:
        """Return all rows."""
        return EngineQuerySet(model=self.model, using=self._db, hints=self._hints)  # type: ignore[attr-defined]


class EngineModel(models.Model):
    """A table of the engine."""

    objects: ClassVar[EngineManager[Self]] = EngineManager()

    class Meta:
        abstract = True
        # What looks up related rows and reads a row anew goes by the base manager.
        base_manager_name: ClassVar[str] = "objects"

    def save(self, *args: Any, using: str | None = None, **options: Any) -> None:
        """Write the row to the engine's database, unless ``using`` says otherwise."""
        super().save(*args, using=using or DATABASE, **options)

    def delete(self, using: str | None = None, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Delete the row from the engine's database, unless ``using`` says otherwise."""
        return super().delete(using or DATABASE, *args, **options)


class _InEngineDatabase:
    """Reads the row that a key points to where the key is kept, and lets a row be assigned that was read elsewhere.

    The user of a request may come from a replica: Django would refuse it here, though only its key is kept.
    """

    field: Any

    def get_queryset(self, **hints: Any) -> Any:
        queryset = super().get_queryset(**hints)  # type: ignore[misc]
        return queryset.using(DATABASE)

    def __set__(self, instance: Any, value: Any) -> None:
        remote = self.field.remote_field.model._meta.concrete_model
        if value is None or not isinstance(value, remote):
            super().__set__(instance, value)  # type: ignore[misc]
            return
        for local, foreign in self.field.related_fields:
            setattr(instance, local.attname, getattr(value, foreign.attname))
        self.field.set_cached_value(instance, value)


class _ForeignKeyDescriptor(_InEngineDatabase, ForwardManyToOneDescriptor):  # type: ignore[type-arg]
    pass


class _OneToOneDescriptor(_InEngineDatabase, ForwardOneToOneDescriptor):  # type: ignore[type-arg]
    pass


if TYPE_CHECKING:
    ForeignKey = models.ForeignKey
    OneToOneField = models.OneToOneField
else:

    class ForeignKey(models.ForeignKey):
        """A foreign key of the engine's; for migrations it is Django's."""

        forward_related_accessor_class = _ForeignKeyDescriptor

        def deconstruct(self) -> tuple[str, str, Iterable[Any], dict[str, Any]]:
            """Return Django's own class in the place of this one."""
            name, _, args, kwargs = super().deconstruct()
            return name, "django.db.models.ForeignKey", args, kwargs

    class OneToOneField(models.OneToOneField):
        """A one-to-one key of the engine's; for migrations it is Django's."""

        forward_related_accessor_class = _OneToOneDescriptor

        def deconstruct(self) -> tuple[str, str, Iterable[Any], dict[str, Any]]:
            """Return Django's own class in the place of this one."""
            name, _, args, kwargs = super().deconstruct()
            return name, "django.db.models.OneToOneField", args, kwargs
