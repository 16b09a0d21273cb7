"""All that can be done with a Job, for the admin, REST, commands and Python callers alike.

This is the only write path: permissions are asked for and events are written below it.
"""

from __future__ import annotations

from typing import Any

from django_wfe.engine.bulk.entries import Entry
from django_wfe.engine.bulk.runs import (
    BulkPreview,
    describe_refusal,
    get_permission,
    is_whole_or_own,
    preview_bulk,
    start_bulk,
    stop_bulk,
)
from django_wfe.engine.errors.database_trouble import noting_database_trouble
from django_wfe.engine.inputs.validation import NOT_GIVEN
from django_wfe.engine.isolation.job_context import in_context_of
from django_wfe.engine.operations.answering import OpenQuestion, get_open_question, provide_external_input
from django_wfe.engine.operations.assigning import (
    Draft,
    assign_input,
    get_assignment,
    load_draft,
    release_input,
    save_draft,
)
from django_wfe.engine.operations.declared_workflows import explain_unknown, list_declared_as
from django_wfe.engine.operations.handing_over import HandedOver, assign_to, hand_over
from django_wfe.engine.operations.recording_exports import exporting
from django_wfe.engine.operations.rotating_secrets import Rotation, rotate_secrets
from django_wfe.engine.operations.starting import Started, run_job_here, start_job
from django_wfe.engine.operations.starting_many import (
    MAX_ROWS,
    PlannedRow,
    RowMeaning,
    StartRow,
    plan_starts,
    read_row_meaning,
    start_many,
)
from django_wfe.engine.operations.verbs.base import Verb, VerbStatus, find_last_run
from django_wfe.engine.operations.verbs.ending import cancel_job
from django_wfe.engine.operations.verbs.holding import pause_job, resume_job
from django_wfe.engine.operations.verbs.listing import find_status, list_statuses, list_verbs
from django_wfe.engine.operations.verbs.options import Option, list_options
from django_wfe.engine.operations.verbs.registry import VERBS, find_verb, list_actions
from django_wfe.engine.operations.verbs.repairing import UNCHANGED, rerun_job, retry_job, skip_step
from django_wfe.engine.operations.workflow_lookup import find_workflow
from django_wfe.engine.operations.workflow_verbs import pause_workflow, resume_workflow
from django_wfe.engine.queries.inbox import Holder, find_next, get_due, list_holders, list_waiting
from django_wfe.engine.queries.situation import explain_job
from django_wfe.engine.rules.explanations import Explanation
from django_wfe.models import JobEvent

__all__ = [
    "MAX_ROWS",
    "NOT_GIVEN",
    "UNCHANGED",
    "VERBS",
    "BulkPreview",
    "Draft",
    "Entry",
    "Explanation",
    "HandedOver",
    "Holder",
    "OpenQuestion",
    "Option",
    "PlannedRow",
    "Rotation",
    "RowMeaning",
    "Source",
    "StartRow",
    "Started",
    "Verb",
    "VerbStatus",
    "assign_input",
    "assign_to",
    "cancel_job",
    "describe_refusal",
    "execute_workflow",
    "execute_workflow_sync",
    "explain_job",
    "explain_unknown",
    "exporting",
    "find_last_run",
    "find_next",
    "find_status",
    "find_verb",
    "find_workflow",
    "get_assignment",
    "get_due",
    "get_open_question",
    "get_permission",
    "hand_over",
    "in_context_of",
    "is_whole_or_own",
    "list_actions",
    "list_declared_as",
    "list_holders",
    "list_options",
    "list_statuses",
    "list_verbs",
    "list_waiting",
    "load_draft",
    "order_workflow_execution",
    "pause_job",
    "pause_workflow",
    "plan_starts",
    "preview_bulk",
    "provide_external_input",
    "provide_input",
    "read_row_meaning",
    "release_input",
    "rerun_job",
    "resume_job",
    "resume_workflow",
    "retry_job",
    "rotate_secrets",
    "run_job_here",
    "run_workflow",
    "save_draft",
    "skip_step",
    "start_bulk",
    "start_job",
    "start_many",
    "stop_bulk",
]

Source = JobEvent.Source


@noting_database_trouble
def order_workflow_execution(
    workflow: Any = None,
    *,
    workflow_id: Any = None,
    key: str | None = None,
    created_by: Any = None,
    input: Any = NOT_GIVEN,  # noqa: A002  (the word of every caller)
    first_input: Any = NOT_GIVEN,
    actor: Any = None,
    source: str = Source.PYTHON,
) -> int:
    """Start a Job and return its id at once; workers run it. With a ``key`` known to this workflow: the first Job's id.

    May be called inside ``transaction.atomic()``: if that rolls back, nothing is sent and no Job remains. Arguments
    and errors as of ``start_job``; ``workflow_id`` is another name for ``workflow``, and ``input`` for ``job_input``.

    A call that may be repeated gives the first step its input as ``first_input``, in this one call. Ordering with a
    ``key`` and then calling ``provide_external_input`` is no such call: the second time it answers whatever step the
    Job waits at by then.
    """
    chosen = _choose(workflow, workflow_id)
    started = start_job(
        chosen,
        key=key,
        created_by=created_by,
        job_input=input,
        first_input=first_input,
        actor=actor,
        source=source,
    )
    return started.job_id


@noting_database_trouble
def run_workflow(
    workflow: Any = None,
    *,
    workflow_id: Any = None,
    key: str | None = None,
    created_by: Any = None,
    input: Any = NOT_GIVEN,  # noqa: A002  (the word of every caller)
    first_input: Any = NOT_GIVEN,
    actor: Any = None,
    source: str = Source.PYTHON,
) -> int:
    """Start a Job and run it here and now, until it ends or waits; return its id. For scripts, tests and shells.

    With a ``key`` known to this workflow it runs nothing and returns the first Job's id. Arguments and errors as of
    ``start_job``.
    """
    started = start_job(
        _choose(workflow, workflow_id),
        key=key,
        created_by=created_by,
        job_input=input,
        first_input=first_input,
        actor=actor,
        source=source,
        run_here=True,
    )
    run_job_here(started)
    return started.job_id


def _choose(workflow: Any, workflow_id: Any) -> Any:
    if (workflow is None) == (workflow_id is None):
        raise TypeError("Give either workflow or workflow_id.")
    return workflow if workflow is not None else workflow_id


execute_workflow = order_workflow_execution
"""The name that older code imports."""

execute_workflow_sync = run_workflow
"""The name that older code imports."""

provide_input = provide_external_input
"""The name that older code imports."""
