"""The processes that run steps."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Worker(models.Model):
    """One process that runs steps, and when it was last heard of. A worker declared dead stays dead."""

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    hostname = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    threads = models.PositiveIntegerField(_("threads"), default=1)
    started_at = models.DateTimeField(_("started"), db_default=Now())
    last_seen = models.DateTimeField(_("last seen"), db_default=Now())
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    declared_dead_at = models.DateTimeField(_("declared dead"), null=True, blank=True)
    lacks: Any = models.JSONField(
        _("lacks"), default=dict, blank=True, help_text=_("Nodes that it was asked to run and could not import.")
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
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text=_("How many messages it got that are about another database, by the name of that."),
    )

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering: ClassVar[list[str]] = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid}"
