"""Of several processes that could do the same, one leads: it holds an advisory lock of PostgreSQL."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_wfe.conf import DATABASE

WATCHDOG_LOCK = 0x5746_4500_0000_0001
"""The key of the lock, one for all watchdogs of one database: "WFE" and the number of the role."""

logger = logging.getLogger("django_wfe.watchdog")


class Leadership:
    """Holds an advisory lock on a connection of its own, as long as that connection lives.

    The lock goes with its session: when the process dies, the next that asks has it. It needs a direct connection, or
    a pooler in session mode; a pooler that shares sessions between transactions would hand the lock around.
    """

    def __init__(self, key: int = WATCHDOG_LOCK) -> None:
        self._key = key
        self._guard = threading.Lock()
        self._connection: BaseDatabaseWrapper | None = None
        self._leads: bool | None = None
        self.term = 0
        """Counts how often this process began to lead."""

    @property
    def leads(self) -> bool:
        """Whether this process led at its latest look."""
        return bool(self._leads)

    def hold(self) -> bool:
        """Take the lead if nobody has it, and tell whether this process leads now.

        Raises:
            django.db.Error: where the database does not answer; then this process does not lead.
        """
        with self._guard:
            if self._leads and not self._is_alive():
                logger.warning("The connection that held the lead is lost; asking for the lead again.")
                self._drop()
            try:
                leads = bool(self._leads) or self._try_lock()
            except Error:
                self._drop()
                raise
            if leads and not self._leads:
                self.term += 1
                logger.info("This watchdog leads.")
            elif not leads and self._leads is None:
                logger.info("Another watchdog leads; this one stands by.")
            self._leads = leads
            return leads

    def release(self) -> None:
        """Give the lead up and close the connection."""
        with self._guard:
            if self._leads:
                try:
                    # At once: the server notices a closed connection only some time later.
                    self._ask("SELECT pg_advisory_unlock(%s)", self._key)
                except Error as error:
                    logger.debug("Giving up the lead raised %r; closing its connection does it too.", error)
            self._drop()
            self._leads = None

    def _is_alive(self) -> bool:
        try:
            self._ask("SELECT 1")
        except Error:
            return False
        return True

    def _try_lock(self) -> bool:
        if self._connection is None:
            connection = connections[DATABASE].copy()
            connection.inc_thread_sharing()
            self._connection = connection
            # So that the server notices within half a minute when this machine is gone without a word.
            self._ask("SET tcp_keepalives_idle = 10")
            self._ask("SET tcp_keepalives_interval = 5")
            self._ask("SET tcp_keepalives_count = 3")
        return bool(self._ask("SELECT pg_try_advisory_lock(%s)", self._key))

    def _ask(self, statement: str, *parameters: int) -> object:
        assert self._connection is not None  # noqa: S101  (set before)
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._leads = False
        if connection is not None:
            try:
                connection.close()
            except Error as error:
                logger.debug("Closing the lost connection raised %r.", error)
