"""Which workers run other code than that which the definitions in the database were read from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from django_wfe.models import Definition, Worker, Workflow
from django_wfe.values.moments import count_seconds
from django_wfe.values.sentences import gettext as _

NAMED = 5
"""How many workflows a sentence names."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """A worker whose code of some workflows is not that of their definitions.

    ``is_older`` tells that the definitions were read after it started; else its machine may have other files than the
    watchdog's.
    """

    worker: Worker
    workflows: tuple[Workflow, ...]
    is_older: bool

    def __str__(self) -> str:
        """Return it as a sentence, with the way out."""
        names = ", ".join(str(workflow) for workflow in self.workflows[:NAMED])
        values = {"worker": self.worker, "workflows": names + ("…" if len(self.workflows) > NAMED else "")}
        if self.is_older:
            return _("Worker %(worker)s runs older code than the definitions of %(workflows)s: restart it.") % values
        return (
            _(
                "Worker %(worker)s runs other code than the definitions of %(workflows)s: deploy the same code "
                "everywhere, then restart it."
            )
            % values
        )


def list_outdated(workers: Iterable[Worker], workflows: QuerySet[Workflow] | None = None) -> list[Outdated]:
    """List the workers that hold other code than the definitions in the database were read from. One query.

    Args:
        workflows: those to look at, as far as a user may see them. Default None: all.
    """
    workers = list(workers)
    paths = {path for worker in workers for path in worker.code}
    if not paths:
        return []
    rows = (Workflow.objects.all() if workflows is None else workflows).filter(
        path__in=paths, deleted=False, load_error="", current_definition__code_hash__gt=""
    )
    narrow = rows.select_related("current_definition").only(
        "path", "name", "label", "current_definition__code_hash", "current_definition__code_read_at"
    )
    definitions = {row.path: (row, row.current_definition) for row in narrow if row.current_definition is not None}
    outdated = []
    for worker in workers:
        others: list[tuple[Workflow, Definition]] = [
            definitions[path]
            for path, held in sorted(worker.code.items())
            if path in definitions and definitions[path][1].code_hash != held
        ]
        if others:
            moments = [definition.code_read_at for _row, definition in others]
            is_older = all(moment is not None and count_seconds(worker.started_at, moment) > 0 for moment in moments)
            outdated.append(Outdated(worker, tuple(row for row, _definition in others), is_older))
    return outdated
