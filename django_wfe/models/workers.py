"""The processes that run steps, and the lease of the one that leads."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel


class Worker(EngineModel):
    """One process that runs steps, and when it was last heard of. A worker declared dead stays dead."""

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    hostname = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    threads = models.PositiveIntegerField(_("threads"), default=1)
    started_at = MomentField(_("started"), db_default=Now())
    last_seen = MomentField(_("last seen"), db_default=Now())
    stopped_at = MomentField(_("stopped"), null=True, blank=True)
    declared_dead_at = MomentField(_("declared dead"), null=True, blank=True)
    lacks: Any = models.JSONField(
        _("lacks"), default=dict, blank=True, help_text=_("Nodes that it was asked to run and could not import.")
    )
    code: Any = models.JSONField(
        _("code"),
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text=_("The hash of the code that it holds of each workflow; empty where its files changed meanwhile."),
    )
    queues = models.CharField(
        _("queues"),
        max_length=255,
        default="",
        db_default="",
        blank=True,
        help_text=_("The queues that it reads, with a space between two; empty: not known."),
    )
    foreign_messages: Any = models.JSONField(
        _("messages of other databases"),
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text=_("How many messages it got that are about another database, by the name of that."),
    )

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering: ClassVar[list[str]] = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid}"


class Lease(EngineModel):
    """The right to lead in one role, for a time. Only ``django_wfe.watchdog.leadership`` writes it.

    ``term`` comes from a sequence: also when the row was deleted by hand no number is given out twice.
    """

    term = models.BigAutoField(_("term"), primary_key=True)
    role = models.CharField(_("role"), max_length=32, unique=True)
    holder = models.UUIDField(_("holder"), null=True, blank=True)
    holder_name = models.CharField(_("holder's name"), max_length=255, blank=True)
    taken_at = MomentField(_("taken"), db_default=Now())
    renewed_at = MomentField(_("renewed"), db_default=Now())
    expires_at = MomentField(_("expires"), db_default=Now())

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        ordering: ClassVar[list[str]] = ["role"]
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return f"{self.role}: {self.holder_name}"
