"""The situation of a Job, by which a verb says whether it can be used and what it would do."""

from __future__ import annotations

from dataclasses import dataclass

from django_wfe.engine.rules.node_names import name_node_by_id
from django_wfe.models import Job, JobState, StepRun
from django_wfe.models.workflows import load_graph

FINAL = (JobState.FINISHED, JobState.CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What matters of a Job for a verb. ``attempt`` is that of its last step run; ``is_history`` as of ``Graph``.

    ``definition_id`` and ``current_step`` are there for what describes; whoever only asks for refusals leaves them.
    """

    state: str
    has_running: bool
    definition_id: int = 0
    current_step: str = ""
    attempt: int = 0
    is_history: bool = False

    @property
    def step_name(self) -> str:
        """The current step's name."""
        return name_node_by_id(self.definition_id, self.current_step)


def judge(job: Job, *, has_running: bool, last: StepRun | None) -> Situation:
    """Return the situation of a Job."""
    attempt = last.attempt if last is not None else 0
    return Situation(
        state=job.state,
        has_running=has_running,
        definition_id=job.definition_id,
        current_step=job.current_step,
        attempt=attempt,
        is_history=load_graph(job.definition_id).is_history,
    )
