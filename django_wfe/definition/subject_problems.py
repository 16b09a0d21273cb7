"""What is wrong with how a Workflow says what its Jobs are about, and by what they are found."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from django_wfe.definition.sentences import Finding
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.texts import describe_value
from django_wfe.steps import read_signature

METHODS = {"find_subject": "job_input", "attributes": "job_input", "suggest_input": "subject"}
"""The methods of a Workflow that are called, through its class, with one argument; and its name."""

_MODEL = re.compile(r"[^\W\d]\w*\.[^\W\d]\w*")


def find_subject_problems(workflow: Any) -> Iterator[Finding]:
    """Yield a code, a message and a cure for each problem of its subject and its attributes.

    Whether there is such a model is the engine's to ask: here is no Django.
    """
    subject = workflow.subject
    is_model = isinstance(subject, str) and (not subject or _MODEL.fullmatch(subject) is not None)
    if not is_model:
        yield (
            "subject",
            _("its subject is %(value)s, not a model.") % {"value": describe_value(subject)},
            _('Write subject = "shop.Order", the app and the name of a model.'),
        )
    for name, argument in METHODS.items():
        if not has_own(workflow, name):
            continue
        if not _takes_one_argument(getattr(workflow, name)):
            yield (
                "subject",
                _("%(name)s cannot be called with one argument.") % {"name": name},
                _("Write @staticmethod, and below it def %(name)s(%(argument)s).")
                % {"name": name, "argument": argument},
            )
        if name != "attributes" and is_model and not subject:
            yield (
                "subject",
                _("it has %(name)s(), and no subject.") % {"name": name},
                _('Write subject = "shop.Order", the model of the rows that its jobs are about.'),
            )
    if subject and is_model and not has_own(workflow, "find_subject"):
        yield (
            "subject",
            _("its subject is %(subject)s, and nothing says which row a job is about.") % {"subject": subject},
            _("Define find_subject(job_input), a staticmethod that returns the row or its primary key."),
        )


def has_own(workflow: Any, name: str) -> bool:
    """Return whether a Workflow, or a base of the project's, defines a method, and not the class Workflow alone."""
    place = next(base for base in workflow.__mro__ if name in vars(base))
    return bool(place.__module__ != "django_wfe.workflows")


def _takes_one_argument(function: Any) -> bool:
    if not callable(function) or inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        return False
    try:
        read_signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True
