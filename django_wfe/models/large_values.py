"""Results and inputs that are too large for a row: the files they are in, and the Jobs that use them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.models.columns.moments import MomentField
from django_wfe.models.database import EngineModel, ForeignKey


class LargeValue(EngineModel):
    """One file of the storage that ``WFE_STORAGE`` names. Only ``django_wfe.engine.large_values`` writes it.

    The row is there before the file is, and goes after it: no file is without a row. Until ``stored_at`` the file is
    being written; from ``swept_at`` on it is being deleted.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    bytes = models.BigIntegerField(_("bytes"))
    stored_at = MomentField(_("stored"), null=True, blank=True)
    swept_at = MomentField(_("swept"), null=True, blank=True)
    touched_at = MomentField(_("last used"), db_default=Now())

    class Meta:
        verbose_name = _("large value")
        verbose_name_plural = _("large values")
        ordering: ClassVar[list[str]] = ["touched_at"]
        default_permissions: ClassVar[tuple[str, ...]] = ()
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["sha256"], name="wfe_large_value_sha256"),
            models.Index(fields=["touched_at"], name="wfe_large_value_touched"),
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} ({self.bytes:,} bytes)"


class LargeValueUse(EngineModel):
    """A Job that has a large value in one of its step runs: written in the transaction that writes the step run."""

    pk = models.CompositePrimaryKey("job_id", "value_id")
    job = ForeignKey(
        "django_wfe.Job",
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="large_value_uses",
        db_index=False,  # the primary key begins with it
        # The statements that write uses hold or insert the Job's row.
        db_constraint=False,
    )
    value = ForeignKey(
        LargeValue,
        verbose_name=_("large value"),
        on_delete=models.DO_NOTHING,
        related_name="uses",
        # Whoever writes one holds the value's row.
        db_constraint=False,
    )

    class Meta:
        verbose_name = _("use of a large value")
        verbose_name_plural = _("uses of large values")
        ordering: ClassVar[list[str]] = ["job", "value"]
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return f"{self.job_id}: {self.value_id}"
