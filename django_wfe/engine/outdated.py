"""Which workers run other code than that which the definitions in the database were read from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django_wfe.models import Definition, Worker, Workflow


@dataclass(frozen=True, slots=True)
class Outdated:
    """A worker whose code of some workflows is not that of their definitions.

    ``is_older`` tells that the definitions were read after it started; else a machine may have other files than the
    watchdog's.
    """

    worker: Worker
    workflows: tuple[Workflow, ...]
    is_older: bool


def list_outdated(workers: Iterable[Worker]) -> list[Outdated]:
    """List the workers that hold other code than the definitions in the database were read from. One query."""
    workers = list(workers)
    paths = {path for worker in workers for path in worker.code}
    rows = {
        row.path: row
        for row in Workflow.objects.filter(path__in=paths, deleted=False, load_error="")
        .exclude(current_definition=None)
        .select_related("current_definition")
        .defer("current_definition__graph", "current_definition__layout", "description")
    }
    outdated = []
    for worker in workers:
        held = [(rows[path], code) for path, code in sorted(worker.code.items()) if path in rows]
        others = tuple(row for row, code in held if _get_definition(row).code_hash not in ("", code))
        if others:
            moments = [_get_definition(row).code_read_at for row in others]
            is_older = all(moment is not None and moment > worker.started_at for moment in moments)
            outdated.append(Outdated(worker, others, is_older))
    return outdated


def _get_definition(row: Workflow) -> Definition:
    assert row.current_definition is not None  # noqa: S101  (rows without one are left out)
    return row.current_definition
