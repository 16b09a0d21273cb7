"""The numbers over time: sums of facts by hour and by day, and how far the facts are counted."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel, ForeignKey
from django_wfe.models.workflows import Workflow


class _Cell(EngineModel):
    """What happened in one hour or one UTC day, in one workflow or at one of its nodes."""

    workflow = ForeignKey(
        Workflow, verbose_name=_("workflow"), on_delete=models.CASCADE, related_name="+", db_index=False
    )
    node = models.CharField(_("node"), max_length=255, blank=True, help_text=_("Empty for whole jobs."))
    measure = models.CharField(_("measure"), max_length=16)
    is_day = models.BooleanField(_("a whole day"))
    since = MomentField(_("since"))
    count = models.BigIntegerField(_("count"))

    class Meta(EngineModel.Meta):
        abstract = True


class Statistic(_Cell):
    """How often something happened, and how many seconds it took together."""

    person = models.CharField(_("person"), max_length=255, blank=True, help_text=_("Who gave the input."))
    seconds = models.FloatField(_("seconds"))

    class Meta:
        verbose_name = _("statistic")
        verbose_name_plural = _("statistics")
        default_permissions: ClassVar[tuple[str, ...]] = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["workflow", "is_day", "since", "node", "measure", "person"], name="wfe_statistic_unique"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["is_day", "since"], name="wfe_statistic_since")]

    def __str__(self) -> str:
        return f"{self.measure} {self.since}"


class StatisticBucket(_Cell):
    """How often something took between 2^(bucket/8) and 2^((bucket+1)/8) seconds."""

    bucket = models.SmallIntegerField(_("bucket"))

    class Meta:
        verbose_name = _("statistic bucket")
        verbose_name_plural = _("statistic buckets")
        default_permissions: ClassVar[tuple[str, ...]] = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["workflow", "is_day", "since", "node", "measure", "bucket"], name="wfe_statistic_bucket_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.measure} {self.since} {self.bucket}"


class StatisticCursor(EngineModel):
    """Up to which row of a table the facts are counted, and which rows below were not to be seen yet."""

    source = models.CharField(_("source"), max_length=16, primary_key=True)
    counted_id = models.BigIntegerField(_("counted up to"), default=0)
    gaps: Any = models.JSONField(_("gaps"), default=list, blank=True)

    class Meta:
        verbose_name = _("statistic cursor")
        verbose_name_plural = _("statistic cursors")
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return f"{self.source}: {self.counted_id}"
