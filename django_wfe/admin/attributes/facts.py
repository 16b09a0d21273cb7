"""What a Job is about and found by, for its page."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_permission_codename
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.engine.queries.found_by import write_attribute, write_subject
from django_wfe.models import Job, Subject

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: what it is called, what it is, and where it leads; ``url`` is "" for nowhere.

    ``jobs_url`` is the Job list with those that have the same.
    """

    name: str
    text: str
    jobs_url: str
    url: str = ""


def list_facts(model_admin: ConsoleAdmin[Job], request: HttpRequest, job: Job) -> list[Fact]:
    """Return the row that a Job is about, with the address of its page if the user may see it, and its attributes."""
    job_list = model_admin.build_changelist_url()
    facts = []
    if job.subject is not None:
        query = urlencode({"subject": write_subject(job.subject)})
        facts.append(_describe_subject(model_admin, request.user, job.subject, f"{job_list}?{query}"))
    for name, value in job.attributes.items():
        query = urlencode({"attribute": write_attribute(name, value)})
        facts.append(Fact(name, value, f"{job_list}?{query}"))
    return facts


def find_visible_row(user: Any, subject: Subject) -> Any:
    """Return the row of a subject; None if there is none, or the user may not see rows of its model."""
    model = subject.find_model()
    if model is None:
        return None
    meta = model._meta
    asked = [f"{meta.app_label}.{get_permission_codename(action, meta)}" for action in ("view", "change")]
    return subject.find_row() if any(user.has_perm(permission) for permission in asked) else None


def name_subject_briefly(subject: Subject) -> str:
    """Return a subject by its model and key, without a look at the row: "Order 17"."""
    model = subject.find_model()
    return f"{capfirst(str(model._meta.verbose_name)) if model is not None else subject.model} {subject.key}"


def _describe_subject(model_admin: ConsoleAdmin[Job], user: Any, subject: Subject, jobs_url: str) -> Fact:
    model = subject.find_model()
    if model is None:
        return Fact(subject.model, subject.key, jobs_url)
    name = capfirst(str(model._meta.verbose_name))
    row = find_visible_row(user, subject)
    if row is None:
        return Fact(name, subject.key, jobs_url)
    return Fact(name, _say_row(row, subject), jobs_url, _find_page(model_admin, row))


def _say_row(row: Any, subject: Subject) -> str:
    try:
        return str(row)
    except Exception:  # the project's own code; the Job's page is not to be lost for it
        logger.exception("%s.__str__() raised for %s.", type(row).__name__, subject.key)
        return subject.key


def _find_page(model_admin: ConsoleAdmin[Job], row: Any) -> str:
    meta = row._meta
    if type(row) not in model_admin.admin_site._registry:
        return ""
    try:
        name = f"admin:{meta.app_label}_{meta.model_name}_change"
        return reverse(name, args=[row.pk], current_app=model_admin.admin_site.name)
    except NoReverseMatch:  # an admin whose addresses are others
        return ""
