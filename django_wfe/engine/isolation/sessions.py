"""The database sessions of a thread: what step code does to them, and how they are made sound again.

After each step the sessions of its thread are compared with what they must be: no transaction, autocommit, the
isolation that Django has set. The driver knows all of that without asking the server. What the server alone knows, such
as the effects of ``SET``, ``set_config()``, advisory locks and temporary tables, is told by the statements that go
through Django's cursors. A session that differs is replaced by a new one. What is changed behind Django, by a function
in the database or by the driver's own cursor, cannot be seen.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_wfe.conf import DATABASE
from django_wfe.engine.errors.failures import describe_failure, name_function
from django_wfe.engine.isolation.interrupts import ActiveRun
from django_wfe.values.sentences import gettext as _

IDLE, IN_ERROR = 0, 3
"""Of libpq's PQTRANS_...: no transaction; one that is to be rolled back."""

LONGEST_LOOKED_AT = 100_000
"""Of longer statements, which hold data, only so many characters are looked at."""

_CHANGES_SESSION = re.compile(
    r"""(?:\s|/\*.*?\*/|--[^\n]*\n)*(?:
        set\s+(?!local\b|constraints\b|transaction\b) | reset\b | discard\b | load\b | listen\b
        | prepare\s+(?!transaction\b|wfe_) | create\s+(?:local\s+|global\s+)?temp | declare\b.*\bwith\s+hold\b
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_CHANGES_WITHIN = ("set_config", "advisory_lock", "advisory_unlock", " temp ", " temporary ")
_ENDS_TRANSACTION = re.compile(
    r"(?:\s|/\*.*?\*/|--[^\n]*\n)*(?:commit|end|abort|rollback(?!\s+(?:work\s+|transaction\s+)?to\b)|prepare\s+transaction)\b",
    re.IGNORECASE | re.DOTALL,
)

logger = logging.getLogger("django_wfe.engine")


class _Session:
    """A connection of this thread, with the raw one below it and how that was when it was new."""

    __slots__ = ("options", "raw", "read_options", "wrapper")

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.wrapper = wrapper
        self.raw: Any = wrapper.connection
        # What the driver knows of a session's settings. psycopg 3 calls one of them otherwise.
        read_only = "readonly" if hasattr(self.raw, "readonly") else "read_only"
        self.read_options = attrgetter("autocommit", "isolation_level", read_only, "deferrable")
        self.options = self.read_options(self.raw)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.sessions: list[_Session] = []
        self.watch: SessionWatch | None = None
        self.is_suspect = False


_thread = _Thread()


def note_connection(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Keep a connection that this thread has just made. The receiver of Django's ``connection_created``."""
    if connection.vendor != "postgresql":
        return
    others = [s for s in _thread.sessions if s.wrapper is not connection and s.wrapper.connection is not None]
    _thread.sessions = [*others, _Session(connection)]
    if _thread.watch is not None:
        _thread.watch.note_new(connection)


def check_sessions() -> None:
    """Make the sessions of this thread sound before a message of the broker's, whatever other actors left in them."""
    noted = [session.wrapper for session in _thread.sessions]
    for wrapper in connections.all(initialized_only=True):
        if wrapper.connection is not None and wrapper not in noted:
            note_connection(wrapper)
    restore_sessions()


def restore_sessions() -> None:
    """Replace the sessions of this thread that are not as they must be outside of a transaction.

    All of them, where a step was interrupted in a transaction and so they could not be replaced at its end.
    """
    is_suspect, _thread.is_suspect = _thread.is_suspect, False
    for session in _thread.sessions:
        if is_suspect or _describe_flaw(session):
            discard_session(session.wrapper)


def discard_session(wrapper: BaseDatabaseWrapper) -> None:
    """End a session, whatever state Django and the driver think that it is in. The next use makes a new one."""
    raw: Any = wrapper.connection
    wrapper.in_atomic_block = wrapper.closed_in_transaction = wrapper.needs_rollback = False
    wrapper.savepoint_ids, wrapper.atomic_blocks = [], []
    try:
        if raw is not None:
            # First of all, since close() only gives it back where there is a pool, and the pool to the next.
            raw.close()
        wrapper.close()
    except (Error, wrapper.Database.Error) as error:  # type: ignore[attr-defined]
        logger.debug("Closing a session raised %r.", error)
    wrapper.connection = None


def shield_hooks(wrapper: BaseDatabaseWrapper, first: int) -> None:
    """Have what a step's ``on_commit`` hooks raise be logged: its result is committed by then, and stays so.

    Args:
        first: the index of the first of them. The engine's own come after it, and Django would drop them.
    """
    hooks: list[Any] = wrapper.run_on_commit
    hooks[first:] = [(hook[0], partial(_run_hook, hook[1]), True) for hook in hooks[first:]]


def _run_hook(hook: Callable[[], Any]) -> None:
    try:
        hook()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        failure = describe_failure(error, name_function(hook))
        logger.error("%s, called after the commit, raised %s\n%s", name_function(hook), failure, failure.traceback)


@dataclass(slots=True)
class _Block:
    """The transaction that a step runs in: where its blocks stood before, and the savepoint that was set for it."""

    savepoint_ids: list[Any]
    atomic_blocks: list[Any]
    needs_rollback: bool
    savepoint: str | None


class SessionWatch:
    """Watches what one step does to the sessions of its thread. ``finish`` puts them right.

    Args:
        own_transaction: the step runs in a transaction that the engine began for it. Otherwise a transaction that is
            open is the caller's, and kept whatever the step does.
    """

    # Set where they differ from these: a step that leaves all as it was is to cost next to nothing.
    run: ActiveRun | None = None
    _blocks: list[tuple[BaseDatabaseWrapper, _Block]] | tuple[()] = ()
    _changed = False
    _ended_transaction = False

    def __init__(self, *, own_transaction: bool) -> None:
        self._own_transaction = own_transaction
        thread = _thread
        self._outer, thread.watch = thread.watch, self
        for session in thread.sessions:
            self._join(session.wrapper)

    def forgive(self) -> None:
        """Take what was changed in sessions up to here for intended; who changed it puts it back."""
        self._changed = False

    @contextmanager
    def forgiving(self) -> Iterator[None]:
        """Take what is changed inside for intended, if nothing is raised."""
        before = self._changed
        yield
        self._changed = before

    def note_new(self, wrapper: BaseDatabaseWrapper) -> None:
        """Watch over a connection that the step has made; one that it has only made anew is watched already."""
        if self._watch_statement not in wrapper.execute_wrappers:
            self._join(wrapper)

    def _join(self, wrapper: BaseDatabaseWrapper) -> None:
        if wrapper.in_atomic_block:
            self._blocks = [*self._blocks, (wrapper, self._enter_block(wrapper))]
        wrapper.execute_wrappers.append(self._watch_statement)

    def finish(self, *, interrupted: bool) -> str:
        """Put the sessions right, and return what the step has left open, or ""."""
        thread = _thread
        thread.watch = self._outer
        hook = self._watch_statement
        for session in thread.sessions:
            hooks = session.wrapper.execute_wrappers
            if hook in hooks:
                # With those that the step has added and left.
                del hooks[hooks.index(hook) :]
        is_unknown = interrupted or self._changed
        if self._blocks:
            return self._finish_in_blocks(is_unknown=is_unknown)
        left = ""
        for session in thread.sessions:
            wrapper, raw = session.wrapper, session.raw
            if (
                not is_unknown
                and wrapper.connection is raw
                and not wrapper.in_atomic_block
                and wrapper.autocommit
                and raw.info.transaction_status == IDLE
                and session.read_options(raw) == session.options
            ):
                continue  # as nearly always
            flaw = _describe_flaw(session)
            if flaw or is_unknown:
                discard_session(wrapper)
                left = left or (flaw if flaw is not _OPTIONS else "")
        return left

    def _finish_in_blocks(self, *, is_unknown: bool) -> str:
        """Do the same where sessions are in a transaction, which is not the step's to end."""
        left = ""
        for wrapper, block in self._blocks:
            left = self._leave_block(wrapper, block) or left
        _thread.is_suspect = _thread.is_suspect or is_unknown
        kept = [wrapper for wrapper, _ in self._blocks]
        for session in _thread.sessions:
            if session.wrapper not in kept and (is_unknown or _describe_flaw(session)):
                discard_session(session.wrapper)
        return left

    def _watch_statement(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001  (Django's)
        run = self.run
        if run is not None and run.asked is not None:
            run.raise_at_statement()
        if type(sql) is not str:
            sql_text = str(sql)
        else:
            sql_text = sql if len(sql) <= LONGEST_LOOKED_AT else sql[:LONGEST_LOOKED_AT]
        if _CHANGES_SESSION.match(sql_text) or any(word in sql_text.lower() for word in _CHANGES_WITHIN):
            self._changed = True
        elif _ENDS_TRANSACTION.match(sql_text):
            self._ended_transaction = True
        if run is None:
            return execute(sql, params, many, context)
        run.statement = context["connection"]
        try:
            return execute(sql, params, many, context)
        except Error:
            if run.canceled_statement:
                run.raise_at_statement()
            raise
        finally:
            run.statement = None

    def _enter_block(self, wrapper: BaseDatabaseWrapper) -> _Block:
        savepoint = None
        if not self._own_transaction and not wrapper.needs_rollback and wrapper.alias == DATABASE:
            # In place of autocommit: a statement that fails must not take the caller's transaction with it.
            savepoint = wrapper.savepoint()
        return _Block(list(wrapper.savepoint_ids), list(wrapper.atomic_blocks), wrapper.needs_rollback, savepoint)

    def _leave_block(self, wrapper: BaseDatabaseWrapper, block: _Block) -> str:
        """Put a transaction that is not the step's back to where it was; return what the step has left open in it."""
        raw: Any = wrapper.connection
        if raw is None or raw.closed:
            return ""
        left = ""
        is_whole = wrapper.in_atomic_block and wrapper.savepoint_ids == block.savepoint_ids
        if not is_whole or wrapper.atomic_blocks != block.atomic_blocks:
            left = _("it left a block of transaction.atomic() without its end")
        elif self._ended_transaction and self._own_transaction:
            left = _("it ended the transaction in which its result is committed")
        wrapper.in_atomic_block = True
        wrapper.savepoint_ids, wrapper.atomic_blocks = list(block.savepoint_ids), list(block.atomic_blocks)
        if block.savepoint is not None:
            broken = left or wrapper.needs_rollback or raw.info.transaction_status == IN_ERROR
            wrapper.needs_rollback = block.needs_rollback
            if broken:
                wrapper.savepoint_rollback(block.savepoint)
            wrapper.savepoint_commit(block.savepoint)
        return left


_OPTIONS = "options"


def _describe_flaw(session: _Session) -> str:
    """Return what is wrong with a session outside of a transaction, in words if a step has to know; "" if nothing."""
    wrapper = session.wrapper
    raw: Any = wrapper.connection
    if raw is None:
        # Closed: the next use connects, and Django forgets the blocks that it was in. What it was in is lost.
        return _("it left a block of transaction.atomic() without its end") if wrapper.in_atomic_block else ""
    if wrapper.in_atomic_block:
        return _("it left a block of transaction.atomic() without its end")
    if raw.info.transaction_status != IDLE:
        return _OPTIONS if raw.closed else _("it left a transaction open")
    if not wrapper.autocommit or raw is not session.raw or session.read_options(raw) != session.options:
        return _OPTIONS
    return ""
