"""The project's own rules about single Jobs: what ``WFE_POLICY`` names is asked after permissions and groups.

Without a policy nothing here costs more than a look at a setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from django_wfe.conf import settings
from django_wfe.engine.access.sight import is_in_sight, list_closed_workflows, sees_everything
from django_wfe.models import Job

if TYPE_CHECKING:
    from django.core.checks import CheckMessage


ANSWER_VERB, VIEW_DATA_VERB, START_VERB = "answer", "view_data", "start"
"""What a policy is asked about beside the verbs."""


class Policy:
    """Narrows what users see and do, Job by Job; the base class for ``WFE_POLICY``.

    It is asked after Django's permissions and the groups of Workflows, and can only take away. Superusers are asked
    about too; trusted code (``actor=None``) never is. One object serves a process, and its threads at once.
    """

    def visible(self, actor: Any, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return those of these Jobs that a user may see. Default: all.

        Filter the queryset, and return it as it is for a user who may see all: only they see the exports of others.
        """
        return queryset

    def answerable(self, actor: Any, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return those of these Jobs whose questions a user may answer. Default: all.

        The inbox lists and counts them, and nobody answers others. What is not visible need not be left out again.
        """
        return queryset

    def may(self, actor: Any, verb: str, job: Job) -> bool:
        """Return whether a user may do something with a Job that they see. Default: yes.

        Args:
            verb: the name of a verb, such as "retry" or one of the project's own; "answer" for giving input and
                holding a question, if ``answerable`` has it; "view_data" for seeing input, results, logs and errors;
                "start".
            job: for "start" a Job that is not saved yet, with its ``workflow``, ``key`` and ``created_by``.
        """
        return True

    def check(self) -> list[CheckMessage]:
        """Return what ``manage.py check`` has to say about how it is set up. Default: nothing."""
        return []


_configured: Policy | None = None


def get_policy() -> Policy | None:
    """Return the policy in use; None if the project has none.

    Raises:
        ImproperlyConfigured: as of ``build_policy``.
    """
    global _configured
    if _configured is None and settings.policy:
        _configured = build_policy()
    return _configured


def build_policy() -> Policy | None:
    """Return a policy of the class that ``WFE_POLICY`` names; None if the setting is empty.

    Raises:
        ImproperlyConfigured: it cannot be imported, or is not a subclass of ``Policy``.
    """
    path = settings.policy
    if not path:
        return None
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"WFE_POLICY = {path!r} cannot be imported: {error}.") from error
    if not isinstance(found, type) or not issubclass(found, Policy):
        raise ImproperlyConfigured(
            f"WFE_POLICY = {path!r}: name a subclass of django_wfe.policies.Policy, not {found!r}."
        )
    return found()


def narrow_jobs(actor: Any, jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Return those of these Jobs that the policy shows to a user."""
    policy = get_policy() if actor is not None else None
    return jobs if policy is None else _make_plain(policy.visible(actor, jobs), f"{type(policy).__name__}.visible()")


def list_jobs_in_sight(actor: Any) -> QuerySet[Job]:
    """Return the jobs that neither a group nor the policy keeps from the actor. Permissions are not looked at."""
    jobs = Job.objects.all()
    if not sees_everything(actor):
        jobs = jobs.exclude(workflow__in=list_closed_workflows(actor))
    return narrow_jobs(actor, jobs)


def narrow_answerable(actor: Any, jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Return those of these Jobs whose questions the policy lets a user answer."""
    policy = get_policy() if actor is not None else None
    if policy is None:
        return jobs
    return _make_plain(policy.answerable(actor, jobs), f"{type(policy).__name__}.answerable()")


def is_narrowed(actor: Any) -> bool:
    """Return whether the policy may keep Jobs from a user. No query."""
    if actor is None or get_policy() is None:
        return False
    return bool(narrow_jobs(actor, Job.objects.all()).query.where)


def is_job_in_sight(actor: Any, job: Job) -> bool:
    """Return whether neither a group nor the policy keeps a Job from a user; it comes with its workflow."""
    if not is_in_sight(actor, job.workflow):
        return False
    if actor is None or get_policy() is None:
        return True
    return narrow_jobs(actor, Job.objects.filter(pk=job.pk)).exists()


def is_allowed(actor: Any, verb: str, job: Job) -> bool:
    """Return whether the policy lets a user do something with a Job that is in their sight."""
    policy = get_policy() if actor is not None else None
    if policy is None:
        return True
    if verb == ANSWER_VERB and not narrow_answerable(actor, Job.objects.filter(pk=job.pk)).exists():
        return False
    return bool(policy.may(actor, verb, job))


def _make_plain(jobs: Any, source: str) -> QuerySet[Job]:
    """Return the same Jobs as a queryset that has each row once, and can be filtered, combined and used in subqueries.

    Raises:
        ImproperlyConfigured: it is not a queryset of Jobs.
    """
    if not isinstance(jobs, QuerySet) or jobs.model is not Job:
        raise ImproperlyConfigured(f"{source} returned {jobs!r}: return a queryset of Jobs.")
    query = jobs.query
    if len(query.alias_map) <= 1 and not (query.distinct or query.is_sliced or query.combinator):
        return jobs
    return Job.objects.filter(pk__in=jobs.values("pk"))


def _forget_configured(*, setting: str, **kwargs: Any) -> None:
    global _configured
    if setting == "WFE_POLICY":
        _configured = None


setting_changed.connect(_forget_configured)
