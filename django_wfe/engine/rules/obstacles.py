"""What keeps an open question from being answered: its class is gone, is not here, or asks for nothing any more.

The form, the Job page, the inbox, ``wfe_doctor`` and REST all say it in these words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django_wfe.definition.graph import has_input
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.rules.explanations import Explanation
from django_wfe.engine.rules.node_names import name_node_by_id
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import Step, StepRun
from django_wfe.values.sentences import gettext as _


def find_obstacle(definition_id: int, step: str, *, is_gone: bool | None = None) -> Explanation | None:
    """Describe what keeps the question of a step from being answered, or return None if it can be.

    Args:
        step: the dotted path that the Job's definition has.
        is_gone: whether the last look at the definitions found no such class. Default None: the database is asked,
            if the class cannot be loaded.
    """
    lack = _look_at_code(step)
    if lack is None:
        return None
    if is_gone is None and lack.reason:
        is_gone = step in _list_gone([step])
    return _describe(definition_id, step, lack, is_gone=bool(is_gone))


def find_obstacles(step_runs: Iterable[StepRun]) -> dict[int, Explanation]:
    """Return why each of these waiting step runs cannot be answered, by its id. At most one query.

    The step runs come with their Jobs.
    """
    runs = list(step_runs)
    lacks = {step: _look_at_code(step) for step in {run.step for run in runs}}
    gone = _list_gone([step for step, lack in lacks.items() if lack is not None and lack.reason])
    found = {}
    for run in runs:
        lack = lacks[run.step]
        if lack is not None:
            found[run.pk] = _describe(run.job.definition_id, run.step, lack, is_gone=run.step in gone)
    return found


def say_way_out_of_gone() -> str:
    """Describe what can be done if a class no longer exists in the code."""
    return _(
        "Restore the class, or keep its old name for the new class (OldName = NewName in its module),"
        " or skip the step by entering its result, or cancel the job."
    )


@dataclass(frozen=True, slots=True)
class _Lack:
    """``reason`` is why the class could not be loaded; "" if it is here, and asks for nothing."""

    reason: str


def _look_at_code(step: str) -> _Lack | None:
    try:
        step_class = load_node(step)
    except CodeNotLoaded as error:
        return _Lack(str(error))
    return None if has_input(step_class) else _Lack("")


def _list_gone(steps: list[str]) -> set[str]:
    if not steps:
        return set()
    return set(Step.objects.filter(path__in=steps, deleted=True).values_list("path", flat=True))


def _describe(definition_id: int, step: str, lack: _Lack, *, is_gone: bool) -> Explanation:
    values = {"step": name_node_by_id(definition_id, step), "path": step, "reason": lack.reason}
    if not lack.reason:
        sentence = _("“%(step)s” cannot be answered: %(path)s no longer asks for input.") % values
        way_out = _(
            "Restore the input schema of the class, or skip the step by entering its result, or cancel the job."
        )
        return Explanation(sentence, way_out, "input_gone")
    if is_gone:
        sentence = _("“%(step)s” cannot be answered: %(path)s no longer exists in the code. %(reason)s") % values
        return Explanation(sentence, say_way_out_of_gone(), "node_gone")
    sentence = _("“%(step)s” cannot be answered by this process, which does not have its code. %(reason)s") % values
    way_out = _(
        "Deploy the code to this server and restart it. If the class was renamed, keep its old name "
        "for the new one (OldName = NewName in its module)."
    )
    return Explanation(sentence, way_out, "code_lacking")
