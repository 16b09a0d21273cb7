"""The UUIDs of Jobs."""

from __future__ import annotations

import secrets
import time
import uuid

_VERSION = 7 << 76
_VARIANT = 0b10 << 62


def make_uuid() -> uuid.UUID:
    """Give a new UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits.

    Rows that are added one after another stand together in the index of such UUIDs. Those of version 4 are spread over
    all of it, so that each new Job would touch another page, and the more pages the more Jobs there are.
    """
    milliseconds = (time.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    return uuid.UUID(int=milliseconds << 80 | _VERSION | secrets.randbits(12) << 64 | _VARIANT | secrets.randbits(62))
