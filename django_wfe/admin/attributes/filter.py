"""The Job list's filter by attributes and by subject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from django_wfe.admin.attributes.facts import name_subject_briefly
from django_wfe.engine.queries.found_by import FoundBy, list_attribute_names, read_found_by, write_attribute
from django_wfe.models import Job

ATTRIBUTE, NAME, VALUE, SUBJECT = "attribute", "attribute_name", "attribute_value", "subject"


class AttributeFilter(admin.ListFilter):
    """By the attributes that a Job has, all of those that are named, and by the row that it is about.

    A list whose Jobs have none does not show it.
    """

    title = gettext_lazy("attribute")
    template = "django_wfe/console/attribute_filter.html"
    parameter_names = (ATTRIBUTE, NAME, VALUE, SUBJECT)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: [str(value) for value in params.pop(name, None) or []] for name in self.parameter_names}
        self.typed = {name: (given[name] or [""])[-1].strip() for name in (NAME, VALUE)}
        attributes = [text for text in given[ATTRIBUTE] if text]
        if self.typed[NAME]:
            attributes.append(write_attribute(self.typed[NAME], self.typed[VALUE]))
        self.problem, self.found_by = "", FoundBy()
        try:
            self.found_by = read_found_by(attributes, (given[SUBJECT] or [""])[-1])
        except ValueError as error:
            self.problem = str(error)
        self.is_given = any(any(values) for values in given.values())
        self.names = list_attribute_names(request.user)

    def has_output(self) -> bool:
        """Return whether the filter is there."""
        return self.is_given or bool(self.names)

    def expected_parameters(self) -> list[str | None]:
        """Return the names that stand in the address."""
        return list(self.parameter_names)

    def value(self) -> str:
        """Return what is asked for in words, or "" if nothing is."""
        words = [f"{name} = {value}" for name, value in self.found_by.attributes]
        if self.found_by.subject is not None:
            words.insert(0, name_subject_briefly(self.found_by.subject))
        return ", ".join(words)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Yield what the template shows: each attribute with the address without it, the names, and the form's rest."""
        others = changelist.filter_params.items()
        given = [(ATTRIBUTE, write_attribute(name, value)) for name, value in self.found_by.attributes]
        without = [
            (f"{name} = {value}", self._link(changelist, [pair for pair in given if pair != (ATTRIBUTE, text)]))
            for (name, value), (_parameter, text) in zip(self.found_by.attributes, given, strict=True)
        ]
        if self.found_by.subject is not None:
            words = name_subject_briefly(self.found_by.subject)
            without.insert(0, (words, changelist.get_query_string(remove=[SUBJECT])))
            given.append((SUBJECT, f"{self.found_by.subject.model}:{self.found_by.subject.key}"))
        yield {
            "chosen": without,
            "names": self.names,
            "typed_name": self.typed[NAME] if self.problem else "",
            "typed_value": self.typed[VALUE] if self.problem else "",
            "others": given
            + [(name, one) for name, values in others if name not in self.parameter_names for one in _list(values)],
            "problem": self.problem,
            "without": changelist.get_query_string(remove=list(self.parameter_names)) if self.is_given else "",
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.none() if self.problem else self.found_by.narrow_jobs(queryset)

    def _link(self, changelist: Any, given: list[tuple[str, str]]) -> str:
        new = {ATTRIBUTE: [text for _name, text in given]}
        return str(changelist.get_query_string(new, [NAME, VALUE, *([] if given else [ATTRIBUTE])]))


def _list(value: Any) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]
