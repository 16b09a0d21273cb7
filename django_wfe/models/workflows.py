"""What is declared in code, as the database knows it: Workflow, Definition, Step."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.definition.graph import Graph
from django_wfe.definition.problems import Problem
from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel, ForeignKey
from django_wfe.values.sentences import say


class Workflow(EngineModel):
    """A Workflow class that discovery has found. It outlives its class: then ``deleted`` is set."""

    path = models.CharField(_("path"), max_length=255, unique=True, help_text=_("The dotted path of its class."))
    name = models.CharField(_("name"), max_length=255)
    label = models.CharField(_("label"), max_length=255, blank=True)
    description = models.TextField(_("description"), blank=True)
    deleted = models.BooleanField(
        _("deleted"), default=False, help_text=_("It is no longer declared; its jobs keep their history.")
    )
    paused = models.BooleanField(_("paused"), default=False, help_text=_("Nothing new starts while this is set."))
    paused_at = MomentField(_("paused since"), null=True, blank=True)
    paused_by = models.CharField(_("paused by"), max_length=255, blank=True)
    pause_reason = models.TextField(_("reason of the pause"), blank=True)
    groups: Any = models.JSONField(
        _("groups"),
        default=list,
        blank=True,
        help_text=_("Only these groups may see it and its jobs; empty: everybody with the permissions."),
    )
    subject = models.CharField(
        _("subject"),
        max_length=255,
        blank=True,
        default="",
        db_default="",  # workers of the version before write rows too, while a new one is rolled out
        help_text=_("The model of the rows that its jobs are about, such as shop.order; empty: about none."),
    )
    has_attributes = models.BooleanField(
        _("has attributes"),
        default=False,
        db_default=False,
        help_text=_("Its code says by which attributes a job is found."),
    )
    row_version: str | None = None
    """What tells this version of the row from any other; None if the row was read without it."""
    current_definition = ForeignKey(
        "django_wfe.Definition",
        verbose_name=_("current definition"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    problems: Any = models.JSONField(
        _("problems"),
        null=True,
        blank=True,
        help_text=_("The problems of its declaration in translatable form."),
    )
    load_error = models.TextField(
        _("load error"), blank=True, help_text=_("Why its latest declaration could not be taken over.")
    )
    created_at = MomentField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        permissions = [
            ("run_workflow", "Can run a workflow"),
            ("pause_workflow", "Can pause and resume a workflow"),
        ]
        ordering: ClassVar[list[str]] = ["name", "path"]

    def __str__(self) -> str:
        return self.label or self.name

    @property
    def trouble(self) -> str:
        """Why its latest declaration could not be taken over, in the reader's language; "" if it was."""
        try:
            return (
                "\n".join(say(Problem.from_json(problem).say()) for problem in self.problems or ()) or self.load_error
            )
        except (KeyError, TypeError, ValueError):  # written by another version
            return self.load_error


class Definition(EngineModel):
    """One version of a Workflow's graph and input schemas. Jobs are pinned to theirs; it is never changed."""

    workflow = ForeignKey(Workflow, verbose_name=_("workflow"), on_delete=models.CASCADE, related_name="definitions")
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    graph = models.JSONField(_("graph"))
    code_hash = models.CharField(
        _("code hash"), max_length=64, blank=True, help_text=_("SHA-256 of the source it was last loaded from.")
    )
    code_read_at = MomentField(
        _("code read"), null=True, blank=True, help_text=_("When that source was read for the first time.")
    )
    layout = models.TextField(
        _("layout"), blank=True, help_text=_("The graph as Graphviz laid it out, kept so that it is done once.")
    )
    created_at = MomentField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("definition")
        verbose_name_plural = _("definitions")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["workflow", "fingerprint"], name="wfe_definition_unique")
        ]

    def __str__(self) -> str:
        return self.fingerprint[:12]

    def load_graph(self) -> Graph:
        """Return the graph as frozen data."""
        return Graph.from_json(self.graph)


@lru_cache(maxsize=512)
def load_graph(definition_id: int) -> Graph:
    """Return the graph of a definition by its id. Definitions never change, so the first look is the last.

    Raises:
        Definition.DoesNotExist: if there is none of this id.
    """
    return Definition.objects.get(pk=definition_id).load_graph()


class Step(EngineModel):
    """A Step or Decision class that discovery has found in a Workflow."""

    class Kind(models.TextChoices):
        """What kind of node it is."""

        STEP = "step", _("step")
        DECISION = "decision", _("decision")

    path = models.CharField(_("path"), max_length=255, unique=True, help_text=_("The dotted path of its class."))
    name = models.CharField(_("name"), max_length=255)
    label = models.CharField(_("label"), max_length=255, blank=True)
    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices)
    description = models.TextField(_("description"), blank=True)
    input_schema: Any = models.JSONField(_("input schema"), null=True, blank=True)
    deleted = models.BooleanField(_("deleted"), default=False)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering: ClassVar[list[str]] = ["name", "path"]

    def __str__(self) -> str:
        return self.label or self.name
