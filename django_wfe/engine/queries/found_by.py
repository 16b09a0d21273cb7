"""Jobs by their attributes and their subject, as the doors write them: "customer=ACME", "shop.Order:17"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Exists, OuterRef, QuerySet

from django_wfe.engine.access import list_visible_jobs
from django_wfe.exceptions import NotEncodable
from django_wfe.models import Job, JobAttribute, StepRun
from django_wfe.models.attributes import JobQuerySet, Subject, name_model, write_key
from django_wfe.values.attributes import encode_name, encode_value
from django_wfe.values.sentences import gettext as _

JOBS_LOOKED_AT = 200
"""The newest Jobs whose attributes' names are offered; any other can be typed."""

MOST = 10
"""The most attributes that are asked for at once."""

_SUBJECT = re.compile(r"(\w+\.\w+):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FoundBy:
    """What Jobs have to have, all of it.

    Attributes:
        attributes: names and values as they are kept.
        subject: the row that they are about. None: any, or none.
    """

    attributes: tuple[tuple[str, str], ...] = ()
    subject: Subject | None = None

    def __bool__(self) -> bool:
        return bool(self.attributes or self.subject)

    def __or__(self, other: FoundBy) -> FoundBy:
        return FoundBy(self.attributes + other.attributes, self.subject or other.subject)

    def narrow_jobs(self, jobs: QuerySet[Job]) -> QuerySet[Job]:
        """Return those of the Jobs that have all of it."""
        found = cast("JobQuerySet[Job]", jobs)
        for name, value in self.attributes:
            found = found.with_attributes(**{name: value})
        return found.with_subject(self.subject) if self.subject is not None else found

    def narrow_step_runs(self, runs: QuerySet[StepRun]) -> QuerySet[StepRun]:
        """Return those of the step runs whose Jobs have all of it. They keep their order, which is that of an index."""
        asked = [*self.attributes, *([tuple(self.subject)] if self.subject is not None else [])]
        for name, value in asked:
            runs = runs.filter(Exists(JobAttribute.objects.filter(job=OuterRef("job_id"), name=name, value=value)))
        return runs


ANY = FoundBy()
"""Asks for nothing."""


def read_found_by(attributes: Iterable[str] = (), subject: str = "") -> FoundBy:
    """Read what was typed.

    Args:
        attributes: texts such as "customer=ACME" or "customer:ACME".
        subject: a text such as "shop.Order:17". Default "": any.

    Raises:
        ValueError: with a sentence for who typed it.
    """
    given = dict.fromkeys(text for text in attributes if text)
    if len(given) > MOST:
        raise ValueError(
            _("%(count)s attributes are too many: ask for at most %(most)s.") % {"count": len(given), "most": MOST}
        )
    return FoundBy(tuple(_read_attribute(text) for text in given), _read_subject(subject) if subject else None)


def list_attribute_names(actor: Any) -> list[str]:
    """Return the names of the attributes of the newest Jobs that the actor may see, to choose from."""
    if not have_attributes():
        return []
    newest = list(list_visible_jobs(actor).order_by("-pk").values_list("pk", flat=True)[:JOBS_LOOKED_AT])
    names = JobAttribute.objects.filter(job__in=newest).exclude(name__contains=".").order_by("name")
    return list(names.values_list("name", flat=True).distinct())


def have_attributes() -> bool:
    """Return whether any Job has attributes or a subject."""
    return JobAttribute.objects.exists()


def write_attribute(name: str, value: str) -> str:
    """Return what ``read_found_by`` reads."""
    return f"{name}={value}"


def write_subject(subject: Subject) -> str:
    """Return what ``read_found_by`` reads."""
    return f"{subject.model}:{subject.key}"


def _read_attribute(text: str) -> tuple[str, str]:
    place = min((found for mark in "=:" if (found := text.find(mark)) > 0), default=0)
    if not place:
        raise ValueError(_("“%(text)s” names no attribute. Write it as customer=ACME.") % {"text": text[:60]})
    name, value = text[:place].strip(), text[place + 1 :].strip()
    try:
        return encode_name(name), encode_value(name, value)
    except NotEncodable as error:
        raise ValueError(str(error)) from error


def _read_subject(text: str) -> Subject:
    found = _SUBJECT.fullmatch(text.strip())
    if found is None:
        raise ValueError(_("“%(text)s” is no subject. Write it as shop.Order:17.") % {"text": text[:60]})
    subject = Subject(found[1].lower(), found[2])
    model: Any = subject.find_model()
    if model is None:
        # Its jobs outlive a model that the project no longer has.
        return subject
    try:
        return Subject(name_model(model), write_key(model, found[2]))
    except ValueError as error:
        raise ValueError(
            _("“%(text)s” is no primary key of %(model)s.") % {"text": found[2][:60], "model": found[1]}
        ) from error
