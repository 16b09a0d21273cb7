"""Whether the storage of large values takes files, gives them back and deletes them."""

from __future__ import annotations

import uuid

from django.core.files.base import ContentFile
from django.db.models import Count, Sum

from django_wfe.exceptions import LargeValueUnavailable
from django_wfe.models import LargeValue
from django_wfe.values.large_values import get_storage
from django_wfe.values.sentences import gettext as _

CONTENT = b"written by wfe_doctor"


def probe_storage() -> None:
    """Write a small file, read it and delete it.

    Raises:
        LargeValueUnavailable: it cannot be done; the message says why.
    """
    storage, name = get_storage(), f"probe-{uuid.uuid4().hex}"
    try:
        written = storage.save(name, ContentFile(CONTENT))
        with storage.open(written, "rb") as file:
            content = file.read()
        storage.delete(written)
    except Exception as error:  # each backend has classes of its own
        raise LargeValueUnavailable(f"{type(error).__name__}: {error}") from error
    if content != CONTENT:
        raise LargeValueUnavailable(_("It gives back other content than was written."))


def count_large_values() -> tuple[int, int]:
    """Return how many files there are, and how many bytes they take."""
    counted = LargeValue.objects.aggregate(files=Count("pk"), bytes=Sum("bytes"))
    return counted["files"], counted["bytes"] or 0
