"""A claim: the right of one worker to run one step run, and what it needs to know for that."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django_wfe.conf import settings
from django_wfe.engine.store import statements
from django_wfe.engine.store.prepared import fetch_row
from django_wfe.models.jobs import build_idempotency_key, build_logfile_path
from django_wfe.states import RUNNABLE_JOB_STATES
from django_wfe.values.large_values import read_reference
from django_wfe.values.sealing import cover_sealed, holds_sealed

RUNNABLE = sorted(RUNNABLE_JOB_STATES)


@dataclass(slots=True, kw_only=True)
class Claim:
    """One step run, held by this worker as long as state, worker and epoch of its row stay what they are here.

    ``value`` is what the step gets as ``_input``, ``external_data`` what was provided, ``context`` what surrounded the
    start, all as JSON gives them. The first two may be references to files until ``load_large`` has read them.
    """

    step_run_id: int
    job_id: int
    job_uuid: uuid.UUID
    workflow_name: str
    workflow_path: str
    definition_id: int
    number: int
    attempt: int
    epoch: int
    step: str
    value: Any
    external_data: Any
    worker_id: uuid.UUID
    lost_before: int = 0
    context: Any = None
    given_reference: Any = None
    """What stands in the row for ``external_data`` that is in a file."""

    def load_large(self) -> None:
        """Read what is in files.

        Raises:
            LargeValueUnavailable: the storage does not answer, or a file is lost.
        """
        reference = read_reference(self.value)
        if reference is not None:
            value = reference.load()
            self.value = cover_sealed(value) if reference.is_sealed else value
        reference = read_reference(self.external_data)
        if reference is not None:
            self.given_reference, self.external_data = self.external_data, reference.load()

    def build_idempotency_key(self) -> str:
        """Return what is stable over the attempts at this node."""
        return build_idempotency_key(self.job_uuid, self.number)

    @property
    def logfile(self) -> str:
        """The path of the job's log file, or ""."""
        return build_logfile_path(self.workflow_name, self.job_uuid)

    def follow(self, *, step_run_id: int, number: int, step: str, value: Any) -> Claim:
        """Return the claim on the next step run, which was inserted as already claimed by the same worker."""
        return Claim(
            step_run_id=step_run_id,
            job_id=self.job_id,
            job_uuid=self.job_uuid,
            workflow_name=self.workflow_name,
            workflow_path=self.workflow_path,
            definition_id=self.definition_id,
            number=number,
            attempt=1,
            epoch=1,
            step=step,
            value=value,
            external_data=None,
            worker_id=self.worker_id,
            context=self.context,
        )


def claim_step_run(step_run_id: int, worker_id: uuid.UUID, *, suspects: bool = True) -> Claim | None:
    """Claim a step run; give None if it is not ready, not due, held back, or another worker was first.

    Args:
        suspects: claim it also where a worker died of it, or in its company, before.
    """
    parameters = {"id": step_run_id, "worker_id": worker_id.hex, "runnable": RUNNABLE, "suspects": suspects}
    has_context = bool(settings.context)
    row = fetch_row(statements.CLAIM_WITH_CONTEXT if has_context else statements.CLAIM, parameters)
    if row is None:
        return None
    run_id, job_id, job_uuid, name, path, definition_id, number, attempt, epoch, step, value, data, lost_before = row[
        :13
    ]
    return Claim(
        step_run_id=run_id,
        job_id=job_id,
        job_uuid=job_uuid,
        workflow_name=name,
        workflow_path=path,
        definition_id=definition_id,
        number=number,
        attempt=attempt,
        epoch=epoch,
        step=step,
        value=_decode_covered(value),
        external_data=_decode(data),
        worker_id=worker_id,
        lost_before=lost_before,
        context=_decode(row[13]) if has_context else None,
    )


def _decode_covered(column: str | None) -> Any:
    """Return a step's ``_input``; the secrets that a Job was started with masked: a Decision would hand them on.

    The first node gets it under any number, since an operator may run the Job again from there.
    """
    value = _decode(column)
    return cover_sealed(value) if column is not None and holds_sealed(column) else value


def _decode(column: str | None) -> Any:
    # Django has psycopg2 hand jsonb over as text.
    return None if column is None else json.loads(column)
