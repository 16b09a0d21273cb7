"""Writes large values to the storage, and holds them for the Job whose row is about to refer to them.

The order keeps a row from referring to a file that is not there, wherever the process dies:

1. A row for the file is committed, so that the sweep knows it whatever becomes of the file.
2. The file is written.
3. The row is marked as stored. A later value with the same text takes the same file.
4. In the transaction that writes the reference, a use is written while the file's row is held against the sweep.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.db import connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.store.crash_points import cross
from django_wfe.engine.store.prepared import Statement, fetch_row
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import LargeValueUnavailable
from django_wfe.values.encoding import looks_like_reference
from django_wfe.values.large_values import (
    LONGEST_REFERENCE,
    Reference,
    build_reference,
    explain_storage_error,
    get_storage,
    read_reference_text,
)
from django_wfe.values.sentences import gettext as _

# A file that is being swept is not taken: a statement that has waited for the sweep looks at the row anew.
_TOUCH = """
UPDATE django_wfe_largevalue SET touched_at = statement_timestamp()
WHERE id = (
        SELECT id FROM django_wfe_largevalue
        WHERE sha256 = %s AND stored_at IS NOT NULL AND swept_at IS NULL ORDER BY id LIMIT 1
    ) AND swept_at IS NULL
RETURNING id"""
_ANNOUNCE = """
INSERT INTO django_wfe_largevalue (id, sha256, bytes, touched_at) VALUES (%s, %s, %s, statement_timestamp())"""
_MARK_STORED = """
UPDATE django_wfe_largevalue SET stored_at = statement_timestamp(), touched_at = statement_timestamp()
WHERE id = %s AND swept_at IS NULL RETURNING id"""

# The lock lets others use the same file at the same time, and keeps the sweep away until the commit.
_HOLD = """
WITH held AS (
    SELECT id FROM django_wfe_largevalue WHERE id = ANY(%s::uuid[]) AND swept_at IS NULL ORDER BY id FOR KEY SHARE
), used AS (
    INSERT INTO django_wfe_largevalueuse (job_id, value_id) SELECT %s, id FROM held ON CONFLICT DO NOTHING
)
SELECT count(*) FROM held"""

_RELEASE = """
DELETE FROM django_wfe_largevalueuse
WHERE job_id = %(job)s AND value_id = %(value)s
    AND NOT EXISTS (
        SELECT FROM django_wfe_steprun WHERE job_id = %(job)s
            -- A reference is short; longer values are not searched.
            AND (CASE WHEN pg_column_size(result) < %(longest)s THEN result::text LIKE %(id)s END
                OR CASE WHEN pg_column_size(external_data) < %(longest)s THEN external_data::text LIKE %(id)s END
                OR CASE WHEN pg_column_size(edited_input) < %(longest)s THEN edited_input::text LIKE %(id)s END))
    AND NOT EXISTS (SELECT FROM django_wfe_jobevent WHERE job_id = %(job)s AND data::text LIKE %(id)s)"""


def keep_value(encoded: str) -> str:
    """Return the JSON text that stands in a row for a value: itself, or a reference to the file that it is now in.

    Without a storage, and up to ``WFE_INLINE_BYTES``, it is itself. What refers to a file must be held, with
    ``hold_values``, in the transaction that writes it.

    Raises:
        LargeValueUnavailable: the storage does not take it.
    """
    if not settings.storage or len(encoded) * 4 <= settings.inline_bytes:
        return encoded
    content = encoded.encode()
    return _store(encoded, content) if len(content) > settings.inline_bytes else encoded


def hold_values(job_id: int, *kept: str | None) -> None:
    """Write that a Job uses the files that these texts refer to. Called in the transaction that writes the texts.

    Raises:
        LargeValueUnavailable: one was swept since: this process stood still for an hour. Roll back.
    """
    found = [reference for reference in map(read_reference_text, kept) if reference is not None]
    if not found:
        return
    ids = sorted({reference.id for reference in found})
    cross("before hold_values")
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_HOLD, [ids, job_id])
        if cursor.fetchone()[0] < len(ids):
            raise LargeValueUnavailable(_say_swept())
    cross("after hold_values")


def fetch_row_and_hold(
    statement: Statement, parameters: Mapping[str, Any], *kept: str | None, job_id: int | None = None
) -> tuple[Any, ...] | None:
    """Run a statement that writes what refers to files as ``fetch_row`` does, and hold them, in one transaction.

    Args:
        job_id: the Job that uses them. Default None: the one whose id the row begins with.

    Raises:
        LargeValueUnavailable: as of ``hold_values``; nothing was written.
    """
    with atomic():
        row = fetch_row(statement, parameters)
        if row is not None:
            hold_values(row[0] if job_id is None else job_id, *kept)
    return row


def release_value(job_id: int, reference: Reference) -> None:
    """Take back that a Job uses a file, if nothing in its rows refers to it any more. The sweep deletes it later."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            _RELEASE, {"job": job_id, "value": reference.id, "id": f'%"{reference.id}"%', "longest": LONGEST_REFERENCE}
        )


def refers_to_file(kept: str | None) -> bool:
    """Return whether a text that ``keep_value`` returned has to be held. Asked for each step."""
    return kept is not None and looks_like_reference(kept)


def _say_swept() -> str:
    return _("A large value took more than an hour to be written, and was swept meanwhile. Try again.")


def _store(encoded: str, content: bytes) -> str:
    reference = build_reference(encoded)
    storage = get_storage()
    with _open_own_session() as session:
        found = _fetch(session, _TOUCH, [reference.sha256])
        if found is not None:
            return replace(reference, id=found[0].hex).write()
        cross("before large value")
        _fetch(session, _ANNOUNCE, [reference.id, reference.sha256, reference.bytes])
        cross("before file of large value")
        _write_file(storage, reference, content)
        cross("after file of large value")
        if _fetch(session, _MARK_STORED, [reference.id]) is None:
            # Swept meanwhile: the file must not stay without a row.
            storage.delete(reference.file_name)
            raise LargeValueUnavailable(_say_swept())
        cross("after large value")
    return reference.write()


def _write_file(storage: Any, reference: Reference, content: bytes) -> None:
    try:
        name = storage.save(reference.file_name, ContentFile(content))
    except Exception as error:  # each backend has classes of its own
        raise explain_storage_error(error, reference.file_name) from error
    if name.replace("\\", "/") != reference.file_name:
        storage.delete(name)
        raise LargeValueUnavailable(
            _("The storage “%(alias)s” keeps files under other names than it is given. Use one that does not.")
            % {"alias": settings.storage}
        )
    _sync(storage, reference)


def _sync(storage: Any, reference: Reference) -> None:
    """Have the file on the disk before the row that refers to it is committed: the row survives a loss of power."""
    try:
        path = Path(storage.path(reference.file_name))
    except NotImplementedError:  # it is kept elsewhere than in a folder
        return
    for each in (path, path.parent, path.parent.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _open_own_session() -> Iterator[Any]:
    """Yield a session whose statements are committed at once: the row must outlive a caller's rollback, as files do."""
    connection = connections[DATABASE]
    if not connection.in_atomic_block and connection.get_autocommit():
        yield connection
        return
    own = connection.copy()
    # Not from a pool: all its connections may be held by threads that wait here for another.
    own.settings_dict["OPTIONS"].pop("pool", None)
    try:
        yield own
    finally:
        own.close()


def _fetch(session: Any, statement: str, parameters: list[Any]) -> tuple[Any, ...] | None:
    with session.cursor() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone() if cursor.description else None
        return row
