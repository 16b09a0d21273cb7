"""The Jobs of a row of the project, on the page of that row in the project's own admin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db import models
from django.forms.renderers import get_default_renderer
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.return_address import RETURN
from django_wfe.engine.access import START_JOBS, has_permission, list_visible_jobs, list_visible_workflows, may_answer
from django_wfe.engine.queries.found_by import FoundBy, write_subject
from django_wfe.engine.rules.node_names import annotate_node_name, read_node_name
from django_wfe.models import Job, JobState, Workflow
from django_wfe.models.attributes import name_model, name_subject


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A row of the table; a URL is "" if the user may not go there."""

    job: Job
    step: str
    url: str
    input_url: str


@dataclass(frozen=True, slots=True)
class Start:
    """A Workflow of which a Job can be started about the row."""

    workflow: Workflow
    url: str


class NoChecks:
    """Takes the place of the admin's checks of inlines: they ask for a foreign key, and there is none."""

    def check(self, obj: Any, **options: Any) -> list[Any]:
        """Find nothing."""
        return []


class JobsFormSet(forms.BaseFormSet):  # type: ignore[type-arg]
    """Stands where the admin has a formset: it has no forms, takes nothing, and holds what the template shows."""

    request: HttpRequest
    inline: JobsInline
    form = forms.Form
    extra = max_num = absolute_max = min_num = 0
    can_order = can_delete = can_delete_extra = validate_max = validate_min = edit_only = False

    def __init__(self, data: Any = None, files: Any = None, instance: Any = None, prefix: str = "", **options: Any):
        super().__init__(prefix=prefix)  # without what was posted: nothing of it is for this section
        self.instance = instance
        self.new_objects: list[Any] = []
        self.changed_objects: list[Any] = []
        self.deleted_objects: list[Any] = []

    @classmethod
    def get_default_prefix(cls) -> str:
        """Return what its fields would begin with."""
        return "django_wfe_jobs"

    def is_valid(self) -> bool:
        """Return that there is nothing to refuse."""
        return True

    def get_queryset(self) -> list[Any]:
        """Return no rows to edit."""
        return []

    def save(self, commit: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  (the admin's signature)
        """Save nothing."""
        return []

    @property
    def jobs(self) -> list[ListedJob]:
        """The newest Jobs about the row, one more than are shown if there are more."""
        return self.inline.list_jobs(self.request, self.instance)

    @property
    def starts(self) -> list[Start]:
        """The Workflows that can be started about the row."""
        return self.inline.list_starts(self.request, self.instance)

    @property
    def all_url(self) -> str:
        """The address of the Job list with all Jobs about the row."""
        return self.inline.build_list_url(self.instance)


class JobsInline(admin.options.InlineModelAdmin):  # type: ignore[type-arg]
    """The Jobs about a row, on its page in the admin: put it among ``inlines`` of the ModelAdmin of a subject.

    It shows the newest Jobs whose ``subject`` is the row, with state, step, a link and *Give input*, and a button for
    each Workflow of this subject that the user may start. From there, people come back to the row. Users see what
    their permissions let them see; who may see no Jobs gets no section. Nothing of it is in the row's form.

    Attributes:
        shown: how many Jobs at most. Default 10; a link leads to all of them.
        workflows: the names of the Workflow classes that can be started here. Default None: all of this subject.
    """

    model = Job
    verbose_name = gettext_lazy("job")
    verbose_name_plural = gettext_lazy("jobs")
    template = "django_wfe/console/jobs_inline.html"
    checks_class = NoChecks
    can_delete = False
    extra = max_num = 0
    shown: ClassVar[int] = 10
    workflows: ClassVar[Sequence[str] | None] = None

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["django_wfe/states.css", "django_wfe/inline.css"]}

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        """Return the class that stands for a formset on this page."""
        given = {"request": request, "inline": self, "renderer": get_default_renderer()}
        return type("JobsFormSet", (JobsFormSet,), given)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return no fields: nothing is edited here."""
        return []

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may see jobs, and there is a row to have them."""
        return (
            isinstance(obj, models.Model) and obj.pk is not None and has_permission(request.user, "django_wfe.view_job")
        )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def list_jobs(self, request: HttpRequest, row: models.Model) -> list[ListedJob]:
        """Return the newest Jobs about a row that the user may see; one more than ``shown`` if there are more."""
        jobs = FoundBy(subject=name_subject(row)).narrow_jobs(list_visible_jobs(request.user))
        jobs = (
            jobs.select_related("workflow").defer("error").annotate(step_label_text=annotate_node_name("current_step"))
        )
        console = self._find_console()
        back = urlencode({RETURN: request.get_full_path()})
        listed = []
        for job in jobs.order_by("-pk")[: self.shown + 1]:
            asks = job.state == JobState.INPUT_REQUIRED and may_answer(request.user, job)
            listed.append(
                ListedJob(
                    job,
                    read_node_name(job.step_label_text, job.current_step),
                    console.build_object_url(job.pk) if console else "",
                    f"{console.build_url('django_wfe_job_input', job.pk)}?{back}" if console and asks else "",
                )
            )
        return listed

    def list_starts(self, request: HttpRequest, row: models.Model) -> list[Start]:
        """Return the Workflows of this subject that the user may start, by name."""
        console = self._find_console()
        if console is None:
            return []
        workflows = list_visible_workflows(request.user).filter(subject=name_model(type(row)), deleted=False)
        if self.workflows is not None:
            workflows = workflows.filter(name__in=self.workflows)
        query = urlencode({"subject": write_subject(name_subject(row)), RETURN: request.get_full_path()})
        return [
            Start(workflow, f"{console.build_url('django_wfe_workflow_start', workflow.pk)}?{query}")
            for workflow in workflows
            if has_permission(request.user, START_JOBS, workflow)
        ]

    def build_list_url(self, row: models.Model) -> str:
        """Return the address of the Job list with all Jobs about a row; "" if this site has no console."""
        console = self._find_console()
        query = urlencode({"subject": write_subject(name_subject(row))})
        return f"{console.build_changelist_url()}?{query}" if console else ""

    def _find_console(self) -> ConsoleAdmin[Job] | None:
        registered: Any = self.admin_site._registry.get(Job)
        return registered if isinstance(registered, ConsoleAdmin) else None
