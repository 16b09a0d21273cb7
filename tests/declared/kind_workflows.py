"""A workflow for each kind of field, whose first step asks for it."""

from typing import Any

from django_wfe import steps, workflows
from tests.support.forms.field_kinds import FIELD_KINDS, FieldKind


def name_workflow(kind: FieldKind) -> str:
    """Give the name that a kind's workflow has in this module."""
    return "Flow" + kind.name.title().replace(" ", "")


def get_workflow(kind: FieldKind) -> type[workflows.Workflow]:
    """Give the workflow of a kind."""
    found: type[workflows.Workflow] = globals()[name_workflow(kind)]
    return found


def _build(kind: FieldKind) -> None:
    module, name = __name__, name_workflow(kind)
    step: Any = type(
        f"Ask{name}", (steps.Step,), {"__module__": module, "UserInputSchema": kind.model, "execute": _keep}
    )
    graph = {"__module__": module, "DIGRAPH": {steps.__start__: [step]}}
    globals().update({step.__name__: step, name: type(name, (workflows.Workflow,), graph)})


def _keep(self: Any, _input: Any = None, external_input: Any = None) -> str:
    return "kept"


for _kind in FIELD_KINDS:
    _build(_kind)
