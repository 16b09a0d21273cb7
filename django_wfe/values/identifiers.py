"""Identifiers: the ids of rows as somebody gives them, and the UUIDs of Jobs."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import Any

LARGEST_ID = 2**63 - 1
"""What PostgreSQL's ``bigint`` holds; it refuses a larger number."""

_VERSION = 7 << 76
_VARIANT = 0b10 << 62


def parse_id(given: Any) -> int | None:
    """Return the id of a row that a text or a number names, or None for what cannot be one.

    An id is written in the digits 0 to 9, and lies from 1 to ``LARGEST_ID``. What was given may be of any length. To
    look a row up: ``filter(pk=parse_id(given) or 0)``, since no row has the id 0.
    """
    text = str(given) if not isinstance(given, int) or abs(given) <= LARGEST_ID else ""
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(LARGEST_ID)):
        return None
    number = int(text)
    return number if 0 < number <= LARGEST_ID else None


def make_uuid() -> uuid.UUID:
    """Return a new UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits.

    Rows that are added one after another stand together in the index of such UUIDs. Those of version 4 are spread over
    all of it, so that each new Job would touch another page, and the more pages the more Jobs there are.
    """
    milliseconds = (time.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    return uuid.UUID(int=milliseconds << 80 | _VERSION | secrets.randbits(12) << 64 | _VARIANT | secrets.randbits(62))
