"""Brings the database in line with what the definition modules declare."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from django.db import DataError
from django.db.models.functions import Now
from django.utils import translation

from django_wfe.conf import settings
from django_wfe.definition.texts import make_storable
from django_wfe.discovery.files import FileState, look_at
from django_wfe.discovery.modules import explain_emptiness
from django_wfe.discovery.reading import ModuleReading, read_modules
from django_wfe.discovery.steadiness import confirm_readings, read_again
from django_wfe.engine.project_code.recording import DeclaredWorkflow, record_deleted, record_workflow
from django_wfe.engine.store.transactions import atomic
from django_wfe.models import DefinitionModule, Workflow

LONGEST_ERROR = 4_000
"""How many characters of an error are kept."""

SETTLE_SECONDS = 0.2
_MOST_SETTLE_SECONDS = 2.0

logger = logging.getLogger("django_wfe.discovery")


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncReport:
    """What one sync did.

    Attributes:
        workflows: the paths of all workflows that are declared now.
        deleted: the paths of those that were declared until now.
        errors: why a module, or a workflow, could not be taken over, by its path.
    """

    workflows: tuple[str, ...]
    deleted: tuple[str, ...]
    errors: Mapping[str, str]


class LeadLost(Exception):
    """Another process has taken the sync over, and may have read other files."""


def sync_definitions() -> SyncReport:
    """Read all modules of ``WFE_WORKFLOWS`` in a child process and write what they declare to the database."""
    return DefinitionSync().run()


class DefinitionSync:
    """Syncs when files have changed since its last time. As long as they have not, it only looks at them."""

    def __init__(self) -> None:
        self._seen: dict[str, FileState] | None = None

    def forget(self) -> None:
        """Let the next look find everything changed."""
        self._seen = None

    def run_if_changed(
        self, *, stop: threading.Event | None = None, may_record: Callable[[], bool] | None = None
    ) -> SyncReport | None:
        """Sync if a file has changed; otherwise give None. As ``run``."""
        if self._seen is not None:
            if look_at(self._seen) == self._seen:
                return None
            self._wait_until_settled(stop)
        return self.run(stop=stop, may_record=may_record)

    def run(self, *, stop: threading.Event | None = None, may_record: Callable[[], bool] | None = None) -> SyncReport:
        """Sync now.

        Args:
            stop: set by another thread to call it off.
            may_record: asked after the reading, which takes its time, whether what was read may be written.

        Raises:
            ReadingStopped: when ``stop`` is set. Nothing was written then.
            LeadLost: if ``may_record`` denies it. Nothing was written then.
        """
        began = time.time_ns()
        before = look_at(self._seen or ())
        readings = read_modules(settings.workflows, stop=stop)
        readings = self._confirm(readings, stop)
        if may_record is not None and not may_record():
            raise LeadLost
        report = record_readings(readings)
        self._seen = self._look_after(readings, before, began)
        return report

    def _confirm(self, readings: list[ModuleReading], stop: threading.Event | None) -> list[ModuleReading]:
        """Read again what gave a definition that is new, so that one which each process has anew is not recorded."""
        new = find_new_definitions(readings)
        if not new:
            return readings
        return confirm_readings(readings, lambda names: read_again(names, stop=stop), only=new)

    def _look_after(
        self, readings: Iterable[ModuleReading], before: Mapping[str, FileState], began: int
    ) -> dict[str, FileState]:
        files: set[str] = set()
        for reading in readings:
            files.update(reading.files)
        seen = {}
        for path, state in look_at(files).items():
            if path in before:
                seen[path] = before[path]
            elif state is not None and state[0] >= began:
                seen[path] = None  # it changed while it was read: look again
            else:
                seen[path] = state
        return seen

    def _wait_until_settled(self, stop: threading.Event | None) -> None:
        """Wait while a file is being written: what is half there would look as if workflows had been removed."""
        waiter = stop or threading.Event()
        deadline = time.monotonic() + _MOST_SETTLE_SECONDS
        state = look_at(self._seen or ())
        while time.monotonic() < deadline and not waiter.wait(SETTLE_SECONDS):
            latest = look_at(state)
            if latest == state:
                return
            state = latest


def find_new_definitions(readings: Iterable[ModuleReading]) -> set[str]:
    """Return the paths of the workflows whose definition is not the current one in the database."""
    fingerprints = {
        workflow.path: workflow.graph.fingerprint
        for reading in readings
        for workflow in reading.workflows
        if workflow.graph is not None
    }
    rows = Workflow.objects.filter(path__in=fingerprints).values_list("path", "current_definition__fingerprint")
    return {path for path, fingerprint in (fingerprints.items() - set(rows))}


def record_readings(readings: Iterable[ModuleReading]) -> SyncReport:
    """Write what was read. A module with an error keeps what it declared when it could last be read."""
    readings = list(readings)
    declared = _merge(readings)
    recorded: dict[str, str] = {path: _record(workflow) for path, workflow in declared.items()}
    errors = {path: error for path, error in recorded.items() if error}
    known = dict(DefinitionModule.objects.values_list("path", "workflows"))
    exist = set(declared)
    may_delete = True
    for reading in readings:
        error = _clean(reading.error)
        if error:
            # Of a module that was never read well nobody can say what it no longer declares.
            may_delete = may_delete and reading.module in known
            kept = set(known.get(reading.module, ())) - set(declared)
            exist |= kept
            Workflow.objects.filter(path__in=kept, deleted=False).update(load_error=error, problems=None)
        elif not reading.workflows:
            with translation.override(None):  # rows hold no translations
                error = f"{reading.module} names no Workflow with a DIGRAPH. {explain_emptiness(reading.module)}"
        _record_module(reading, error, errors)
        if error:
            errors[reading.module] = error
    DefinitionModule.objects.exclude(path__in=[reading.module for reading in readings]).delete()
    deleted = record_deleted(exist) if may_delete else []
    return SyncReport(workflows=tuple(sorted(declared)), deleted=tuple(deleted), errors=errors)


def _merge(readings: Iterable[ModuleReading]) -> dict[str, DeclaredWorkflow]:
    merged: dict[str, DeclaredWorkflow] = {}
    for reading in readings:
        for workflow in reading.workflows:
            merged.setdefault(workflow.path, workflow)
    return merged


def _record(declared: DeclaredWorkflow) -> str:
    """Write one workflow; give why it cannot run, or ""."""
    try:
        with atomic():
            return record_workflow(declared).load_error
    except (DataError, ValueError) as error:  # NUL characters, half of a surrogate pair, NaN as a schema's default
        text = _clean(f"{declared.path} cannot be kept in the database: {error}")
        Workflow.objects.filter(path=_clean(declared.path)).update(load_error=text, problems=None, deleted=False)
        return text


def _record_module(reading: ModuleReading, error: str, errors: Mapping[str, str]) -> None:
    values: dict[str, object] = {"synced_at": Now()}
    if not reading.error:
        paths = [workflow.path for workflow in reading.workflows]
        values["workflows"] = [_clean(path) for path in paths]
        error = error or "\n".join(errors[path] for path in paths if path in errors)
    values["error"] = error
    DefinitionModule.objects.update_or_create(path=reading.module, defaults=values)


def _clean(text: str) -> str:
    """Return the text as PostgreSQL can keep it, cut where it is very long."""
    return make_storable(text)[:LONGEST_ERROR]
