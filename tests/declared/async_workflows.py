"""An async step whose code each test gives: alone, in time, in one transaction, or with a choice at its end."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.contrib.auth.models import Group
from pydantic import BaseModel

from django_wfe import steps, workflows

Action = Callable[[steps.Step], Awaitable[Any]]


async def do_nothing(step: steps.Step) -> None:
    pass


class Act(steps.Step):
    """Does what a test wants."""

    ACTION: Action = staticmethod(do_nothing)
    CLEAN_UP: Action = staticmethod(do_nothing)

    async def execute(self, _input: Any = None) -> Any:
        return await type(self).ACTION(self)

    async def on_cancel(self) -> None:
        await type(self).CLEAN_UP(self)


class ActInTime(Act):
    timeout = 0.2


class ActAtomically(Act):
    atomic = True


class ActAtomicallyInTime(ActInTime):
    atomic = True


class ActAgain(Act):
    retry = steps.Retry(max_attempts=3, backoff=0)


class Write(steps.Step):
    def execute(self, _input: Any = None) -> None:
        Group.objects.get_or_create(name=f"written by {self.job.pk}")


class Choose(steps.Decision):
    """Chooses by asking the database."""

    async def transition(self, _input: Any) -> int:
        return await Group.objects.filter(name=_input).acount()


class Left(steps.Step):
    def execute(self, _input: Any = None) -> str:
        return "left"


class Right(steps.Step):
    def execute(self, _input: Any = None) -> str:
        return "right"


class Acting(workflows.Workflow):
    class InputSchema(BaseModel):
        name: str = "given"

    DIGRAPH = {steps.__start__: [Act], Act: [Write]}


class WithoutInput(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Act]}


class InTime(workflows.Workflow):
    DIGRAPH = {steps.__start__: [ActInTime], ActInTime: [Write]}


class Atomic(workflows.Workflow):
    DIGRAPH = {steps.__start__: [ActAtomically], ActAtomically: [Write]}


class AtomicInTime(workflows.Workflow):
    DIGRAPH = {steps.__start__: [ActAtomicallyInTime], ActAtomicallyInTime: [Write]}


class Again(workflows.Workflow):
    DIGRAPH = {steps.__start__: [ActAgain]}


class Choosing(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Act], Act: [Choose], Choose: [Left, Right]}
