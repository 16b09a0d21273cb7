"""Of several processes that could do the same, one leads: it holds a lease, a row with a time at which it ends.

A session's lock would not do: PgBouncer in transaction mode gives the session to others. All times are the database's;
``clock_timestamp()``, since the statement may have waited for the row.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import Error, connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.store.transactions import atomic

WATCHDOG = "watchdog"
"""The role of the watchdogs: one of them leads in each database."""

LEASE_SWEEPS = 3
"""For how many sweeps a lease is taken: one that fails does not cost the lead."""

SHORTEST_LEASE_SECONDS = 5.0
"""The shortest lease, where sweeps are frequent: a pause of the machine does not cost the lead."""

logger = logging.getLogger("django_wfe.watchdog.process")

# One statement renews the lease and takes it, so that there is one answer to who leads. It is free where it was given
# up, where its time is over, and where it was renewed in the future: then the database's clock was set back, and a dead
# leader would keep the lead for as long. The term changes with the holder, and only then.
_HOLD = """
INSERT INTO django_wfe_lease AS lease (role, holder, holder_name, taken_at, renewed_at, expires_at)
VALUES (%(role)s, %(holder)s, %(holder_name)s, clock_timestamp(), clock_timestamp(),
        clock_timestamp() + %(seconds)s * INTERVAL '1 second')
ON CONFLICT (role) DO UPDATE
SET term = CASE WHEN lease.holder = EXCLUDED.holder THEN lease.term ELSE EXCLUDED.term END,
    taken_at = CASE WHEN lease.holder = EXCLUDED.holder THEN lease.taken_at ELSE clock_timestamp() END,
    holder = EXCLUDED.holder, holder_name = EXCLUDED.holder_name,
    renewed_at = clock_timestamp(), expires_at = clock_timestamp() + %(seconds)s * INTERVAL '1 second'
WHERE lease.holder = EXCLUDED.holder OR lease.holder IS NULL OR lease.expires_at <= clock_timestamp()
    OR lease.renewed_at > clock_timestamp() + INTERVAL '1 second'
RETURNING term
"""

_RELEASE = """
UPDATE django_wfe_lease SET holder = NULL, holder_name = '', expires_at = clock_timestamp()
WHERE role = %(role)s AND holder = %(holder)s
"""

_FIND_LEADER = """
SELECT term, holder_name, EXTRACT(EPOCH FROM clock_timestamp() - taken_at)::float8 FROM django_wfe_lease
WHERE role = %(role)s AND holder IS NOT NULL AND expires_at > clock_timestamp()
    AND renewed_at <= clock_timestamp() + INTERVAL '1 second'
"""


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads: the number of its term, its host and process, and for how long it has led, in seconds."""

    term: int
    name: str
    seconds: float


class Leadership:
    """One process's claim to lead. Safe in several threads, each with its own connection."""

    def __init__(self, role: str = WATCHDOG, *, seconds: float | None = None) -> None:
        """Make a claim that holds nothing yet.

        Args:
            seconds: how long the lease is. Default: three times ``WFE_RECOVERY_INTERVAL``, at the least 5.
        """
        self._role = role
        self._seconds = seconds
        self._holder = uuid.uuid4()
        self._guard = threading.Lock()
        self._term: int | None = None

    @property
    def seconds(self) -> float:
        """How long the lease is after each renewal; others take over after that much silence."""
        if self._seconds is not None:
            return self._seconds
        return max(LEASE_SWEEPS * settings.recovery_interval, SHORTEST_LEASE_SECONDS)

    def hold(self) -> int:
        """Renew the lease, or take it if nobody has it. Return the term in which this process leads now, or 0.

        Every term has a number of its own. While it stays the same, nobody else has led: who was stopped in the middle
        of something, by SIGSTOP or with the machine, asks again before going on.

        Raises:
            django.db.Error: if the database does not answer; then it is not known who leads.
        """
        rows = _ask(
            _HOLD,
            role=self._role,
            holder=self._holder,
            holder_name=f"{socket.gethostname()}:{os.getpid()}"[:255],
            seconds=self.seconds,
        )
        term: int = rows[0][0] if rows else 0
        with self._guard:
            before, self._term = self._term, term
        if term and term != before:
            logger.info("This watchdog leads (term %d).", term)
        elif not term and before is None:
            logger.info("Another watchdog leads; this one stands by.")
        elif not term and before:
            logger.warning("Another watchdog has taken the lead over; this one stands by.")
        return term

    def release(self) -> None:
        """Give up the lead, so that another has it at once. If that fails, the lease ends by itself."""
        with self._guard:
            held, self._term = self._term, None
        if held:
            try:
                _ask(_RELEASE, role=self._role, holder=self._holder)
            except Error as error:
                logger.debug("Giving up the lead raised %r; its lease ends by itself.", error)


def find_leader(role: str = WATCHDOG) -> Leader | None:
    """Return who leads now, or None."""
    rows = _ask(_FIND_LEADER, role=role)
    return Leader(*rows[0]) if rows else None


def _ask(statement: str, **parameters: str | float | uuid.UUID) -> list[tuple[Any, ...]]:
    # Where the project's isolation is stricter, who waits for the row would fail in place of seeing what became of it.
    with atomic(), connections[DATABASE].cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
    return rows
