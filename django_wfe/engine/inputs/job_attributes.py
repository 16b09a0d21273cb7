"""What a Job is about and found by, as its Workflow says it of what the Job starts with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.apps import apps
from django.db import models
from pydantic import BaseModel

from django_wfe.definition.subject_problems import has_own
from django_wfe.engine.errors.database_trouble import explain_database_error
from django_wfe.engine.errors.tracebacks import format_traceback, get_location
from django_wfe.engine.project_code.classes import load_workflow
from django_wfe.exceptions import InputCheckFailed, NotEncodable, WFEException
from django_wfe.models import Workflow
from django_wfe.models.attributes import Subject, name_model, name_subject, write_key
from django_wfe.steps import dotted_path
from django_wfe.values.attributes import encode_attributes
from django_wfe.values.sentences import gettext as _

logger = logging.getLogger("django_wfe.engine")


def describe_job(workflow: Workflow, asked: Any, job_input: BaseModel | None) -> dict[str, str] | None:
    """Return the attributes and the subject of a Job that is to start, as texts by name; None if it has none.

    Args:
        asked: the Workflow class that was asked for, or anything else if it was another name.
        job_input: what the Job starts with; None without.

    Raises:
        NotEncodable: a value cannot be searched for, or the subject is none of its model.
        InputCheckFailed: the Workflow's own code raised something else.
        CodeNotLoaded: this process lacks that code.
    """
    # Of a class that was asked for the row may be older.
    declared: Any = asked if isinstance(asked, type) else None
    if declared is None:
        if not (workflow.subject or workflow.has_attributes):
            return None
        declared = load_workflow(workflow.path)
    found: dict[str, str] = {}
    if has_own(declared, "attributes"):
        given = _call(declared, "attributes", job_input)
        if not isinstance(given, Mapping):
            raise NotEncodable(
                _("%(workflow)s.attributes() returned %(type)s. Return a dict.")
                % {"workflow": dotted_path(declared), "type": type(given).__name__}
            )
        found = {name: value for name, value in encode_attributes(given).items() if value is not None}
    if declared.subject:
        subject = _name_subject(declared, _call(declared, "find_subject", job_input))
        if subject is not None:
            found[subject.model] = subject.key
    return found or None


def suggest_input(workflow: Workflow, subject: Any) -> dict[str, Any]:
    """Return what a form is filled in with that starts a Job about a row of the Workflow's subject.

    Raises:
        InputCheckFailed: the Workflow's own code raised something.
        CodeNotLoaded: this process lacks that code.
    """
    return dict(_call(load_workflow(workflow.path), "suggest_input", subject))


def _name_subject(declared: Any, found: Any) -> Subject | None:
    if found is None:
        return None
    try:
        model = apps.get_model(declared.subject)
        if not isinstance(found, models.Model):
            return Subject(name_model(model), write_key(model, found))
        subject = name_subject(found)
        if subject.model != name_model(model):
            raise ValueError(f"it is of the model {subject.model}, not of {name_model(model)}.")
    except (LookupError, ValueError) as error:
        raise NotEncodable(
            _("%(workflow)s.find_subject() returned no subject: %(error)s")
            % {"workflow": dotted_path(declared), "error": error}
        ) from error
    return subject


def _call(declared: Any, name: str, argument: Any) -> Any:
    function: Callable[[Any], Any] = getattr(declared, name)
    try:
        return function(argument)
    except WFEException:
        raise
    except Exception as error:  # the project's code may raise anything
        if explain_database_error(error) is not None:
            raise
        # As text, without the exception: its message and the frames may quote what was given.
        told = format_traceback(error, get_location(error)).rstrip()
        logger.error("%s.%s() raised %s.\n%s", dotted_path(declared), name, type(error).__name__, told)
        raise InputCheckFailed(
            _(
                "What the job is found by could not be worked out: %(workflow)s.%(method)s() raised %(error)s. "
                "The server's log has more."
            )
            % {"workflow": dotted_path(declared), "method": name, "error": type(error).__name__}
        ) from error
