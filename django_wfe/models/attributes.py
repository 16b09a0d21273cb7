"""What Jobs are found by: their attributes, and the project's own row that a Job is about."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Subquery
from django.utils.translation import gettext_lazy as _

from django_wfe.definition.texts import is_storable
from django_wfe.models.database import EngineManager, EngineModel, EngineQuerySet, ForeignKey
from django_wfe.values.attributes import LONGEST_VALUE, encode_attributes

Row = TypeVar("Row", bound=models.Model)


class JobAttribute(EngineModel):
    """A name and value by which a Job is found. Only ``django_wfe.engine`` writes them.

    A name with a dot, such as "shop.order", is that of the model whose row the Job is about; the value is the row's
    primary key then.
    """

    # No id: it would cost another index.
    pk = models.CompositePrimaryKey("job_id", "name")
    job = ForeignKey(
        "django_wfe.Job",
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="attribute_rows",
        db_index=False,  # the primary key begins with it
        # The statements that write attributes hold or insert the Job's row.
        db_constraint=False,
    )
    name = models.CharField(_("name"), max_length=255)
    value = models.CharField(_("value"), max_length=255)

    class Meta:
        verbose_name = _("attribute of a job")
        verbose_name_plural = _("attributes of jobs")
        ordering: ClassVar[list[str]] = ["job", "name"]
        indexes: ClassVar[list[models.Index]] = [
            # In the order of the Job list. Without the workflow: the question is asked of several as well, and an index
            # that has it in between has no order then.
            models.Index(fields=["name", "value", "-job"], name="wfe_attribute_found")
        ]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class Subject(NamedTuple):
    """The row of the project's own that a Job is about, by its model ("shop.order") and its primary key as text."""

    model: str
    key: str

    def find_model(self) -> type[models.Model] | None:
        """Return its model, or None if the project no longer has it."""
        try:
            return apps.get_model(self.model)
        except (LookupError, ValueError):
            return None

    def find_row(self) -> Any:
        """Return the row, or None if there is none (any more)."""
        model = self.find_model()
        if model is None:
            return None
        return model._default_manager.filter(pk=self.key).first()


def name_subject(row: models.Model) -> Subject:
    """Return how a row of the project is named as the subject of a Job.

    Raises:
        ValueError: it was not saved.
    """
    if row.pk is None:
        raise ValueError(f"{row!r} is not saved, so no job can be about it: save it first.")
    return Subject(name_model(type(row)), write_key(type(row), row.pk))


def write_key(model: type[models.Model], key: Any) -> str:
    """Return a primary key as text: the same for "42" and 42, and for a UUID with hyphens and without.

    Raises:
        ValueError: it is no key of this model.
    """
    field: Any = model._meta.pk
    while field.remote_field is not None:  # the child of another model
        field = field.target_field
    try:
        text = str(field.to_python(key))
    except ValidationError as error:
        raise ValueError(f"{key!r} is not a primary key of {model._meta.label}: {error}") from error
    if key is None or len(text) > LONGEST_VALUE or not is_storable(text):
        raise ValueError(
            f"{key!r} is not a primary key of {model._meta.label} by which jobs can be found: "
            f"use one of at most {LONGEST_VALUE} characters."
        )
    return text


def name_model(model: type[models.Model]) -> str:
    """Return how the model of a subject is kept: that of a proxy, or of deferred columns, is its concrete one."""
    return str(model._meta.concrete_model._meta.label_lower)  # type: ignore[union-attr]


class JobQuerySet(EngineQuerySet[Row]):
    """Jobs, and what they are found by."""

    def about(self, row: models.Model) -> Self:
        """Return those whose subject is this row of the project.

        Raises:
            ValueError: the row was not saved.
        """
        return self.with_subject(name_subject(row))

    def with_subject(self, subject: Subject) -> Self:
        """Return those with this subject. Its model is written in lower case: "shop.order"."""
        return self._having(subject.model, subject.key)

    def with_attributes(self, **attributes: Any) -> Self:
        """Return those that have all of these attributes: ``with_attributes(customer="ACME", express=True)``.

        Args:
            attributes: values by name; None for the Jobs that have no attribute of this name.

        Raises:
            NotEncodable: a value is of a kind that no attribute has.
        """
        jobs = self
        for name, value in encode_attributes(attributes).items():
            jobs = jobs._having(name, value) if value is not None else jobs.exclude(attribute_rows__name=name)
        return jobs

    def _having(self, name: str, value: str) -> Self:
        same = JobAttribute.objects.filter(name=name, value=value)
        newest = same.order_by("-job_id").values("job_id")[:1]
        # By a join, so that the planner may begin with the rarest of several. And no job is newer than the newest: for
        # a value that only old jobs have, it would walk through all younger ones to find the first.
        return self.filter(attribute_rows__name=name, attribute_rows__value=value, pk__lte=Subquery(newest))


class JobManager(EngineManager[Row]):
    """``Job.objects``."""

    def get_queryset(self) -> JobQuerySet[Row]:
        """Return all Jobs."""
        return JobQuerySet(model=self.model, using=self._db, hints=self._hints)  # type: ignore[attr-defined]

    def about(self, row: models.Model) -> JobQuerySet[Row]:
        """Return the Jobs whose subject is this row of the project: ``Job.objects.about(order)``."""
        return self.get_queryset().about(row)

    def with_attributes(self, **attributes: Any) -> JobQuerySet[Row]:
        """Return the Jobs that have all of these attributes."""
        return self.get_queryset().with_attributes(**attributes)
