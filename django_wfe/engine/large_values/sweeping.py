"""Deletes the files of large values that no Job uses: those of Jobs that were deleted, and of what was never committed.

In two steps, each its own transaction: a row is marked as swept, under a lock that whoever is about to use it
holds too; then the file goes, and the row after it. Cut off between, the next sweep goes on.
"""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import LargeValueUnavailable
from django_wfe.values.large_values import explain_storage_error, get_storage, name_file

GRACE_SECONDS = 3600.0
"""How long a file may be without a Job before it goes: what is to use it may still be at work."""

BATCH = 100

logger = logging.getLogger("django_wfe.engine")

_UNUSED = "NOT EXISTS (SELECT FROM django_wfe_largevalueuse AS used WHERE used.value_id = value.id)"
_OLD = "value.touched_at < statement_timestamp() - %(grace)s * INTERVAL '1 second'"
_FORGET_USES = """
DELETE FROM django_wfe_largevalueuse AS used
WHERE NOT EXISTS (SELECT FROM django_wfe_job AS job WHERE job.id = used.job_id)"""
_LOCK_UNUSED = f"""
SELECT value.id FROM django_wfe_largevalue AS value WHERE {_OLD} AND {_UNUSED}
ORDER BY value.id LIMIT %(batch)s FOR UPDATE SKIP LOCKED"""  # noqa: S608  (made of constants)
# A new statement, which sees the uses that were committed before the lock was had.
_MARK = f"""
UPDATE django_wfe_largevalue AS value SET swept_at = statement_timestamp()
WHERE id = ANY(%(ids)s::uuid[]) AND {_UNUSED} RETURNING id, sha256"""  # noqa: S608  (made of constants)
_DELETE = "DELETE FROM django_wfe_largevalue WHERE id = ANY(%(ids)s::uuid[]) AND swept_at IS NOT NULL"


def sweep_large_values(*, grace_seconds: float = GRACE_SECONDS) -> int:
    """Delete the files that no Job has used for so long, and return how many. Without a storage none is touched."""
    if not settings.storage:
        return 0
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_FORGET_USES)
    deleted = 0
    while chosen := _choose(grace_seconds):
        gone = _delete_files(chosen)
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(_DELETE, {"ids": gone})
        deleted += len(gone)
        if len(gone) < len(chosen):
            break  # the storage does not work: in the next round again
    return deleted


def _choose(grace_seconds: float) -> dict[UUID, str]:
    """Mark a batch of unused files as swept, and return their names by id; from then on nobody takes them."""
    with atomic(), connections[DATABASE].cursor() as cursor:
        cursor.execute(_LOCK_UNUSED, {"grace": grace_seconds, "batch": BATCH})
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(_MARK, {"ids": ids})
        return {pk: name_file(pk.hex, sha256) for pk, sha256 in cursor.fetchall()}


def _delete_files(names: dict[UUID, str]) -> list[UUID]:
    """Delete files, and return the ids of those that are gone."""
    gone = []
    try:
        storage = get_storage()
        for pk, name in names.items():
            try:
                storage.delete(name)
            except FileNotFoundError:
                pass  # a sweep was cut off before, or the file was never written
            except Exception as error:  # each backend has classes of its own
                raise explain_storage_error(error, name) from error
            gone.append(pk)
    except LargeValueUnavailable as error:
        logger.error("Large values that no job uses could not be deleted: %s", error)
    return gone
