"""Messages of another project's database in this project's queue: told loudly, counted, and not run."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter

from django.db import Error, connections

from django_wfe.conf import DATABASE
from django_wfe.engine.store.database_identity import forget_database_identity, get_database_identity
from django_wfe.engine.worker.heartbeat import get_worker

OPTION = "wfe_database"
"""The option of a message that names its database. A worker of an older version does not look at it."""

TELL_SECONDS = 60.0
"""How often the messages of one other database are told of."""

_ADD = """
UPDATE django_wfe_worker SET foreign_messages = foreign_messages
    || jsonb_build_object(%s::text, COALESCE((foreign_messages ->> %s::text)::bigint, 0) + %s)
WHERE id = %s
"""

logger = logging.getLogger("django_wfe.delivery")


def name_own_database() -> str | None:
    """Return what a message is to carry as ``OPTION``, or None if the database does not answer now."""
    try:
        return get_database_identity()
    except Error as error:
        logger.debug("The database was not asked for its identity: %s", error)
        return None


class ForeignMessages:
    """What this process got of other databases."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untold: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}

    def is_foreign(self, identity: object) -> bool:
        """Return whether a message that carries this identity is about another database. None: it cannot be told."""
        if not isinstance(identity, str):
            return False  # sent by an older version
        own = name_own_database()
        if own is None or own == identity:
            return False
        # The server may have got another identity since it was asked, by an upgrade.
        forget_database_identity()
        own = name_own_database()
        return own is not None and own != identity

    def note(self, identity: str, queue: str) -> None:
        """Count a message of another database; say so once in ``TELL_SECONDS``, and keep it in the worker's row."""
        with self._lock:
            self._untold[identity] += 1
            now = time.monotonic()
            if now - self._told_at.get(identity, float("-inf")) < TELL_SECONDS:
                return
            self._told_at[identity] = now
            number = self._untold.pop(identity)
        logger.error(
            "%d message(s) in the queue %s are of another database, %s; this worker's is %s. They are not run here, "
            "and the jobs there wait until their watchdog sends again. Two projects share one broker and one queue. "
            "Set a different WFE_QUEUE for each.",
            number,
            queue,
            identity,
            name_own_database(),
        )
        try:
            with connections[DATABASE].cursor() as cursor:
                cursor.execute(_ADD, [identity, identity, number, get_worker().id])
        except Error as error:
            logger.warning("The messages of another database were not counted: %s", error)
