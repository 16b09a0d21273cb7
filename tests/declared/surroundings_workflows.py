"""One step whose code each test gives, alone or followed by one that writes a row."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group

from django_wfe import steps, workflows
from django_wfe.retry import Retry


class Act(steps.Step):
    """Does what a test wants."""

    ACTION: Callable[[steps.Step], Any] = staticmethod(lambda step: None)

    def execute(self, _input=None):
        return type(self).ACTION(self)


class ActInTime(Act):
    timeout = 0.05


class ActAtomically(Act):
    atomic = True


class ActAtomicallyInTime(ActInTime):
    atomic = True


class ActAtomicallyAgain(Act):
    atomic = True
    retry = Retry(max_attempts=3, backoff=0)


class Write(steps.Step):
    def execute(self, _input=None):
        Group.objects.create(name=f"written by {self.job.pk}")


def _declare(act: type[Act]) -> type[workflows.Workflow]:
    name = f"{act.__name__}ThenWrite"
    namespace = {"__module__": __name__, "DIGRAPH": {steps.__start__: [act], act: [Write]}}
    return type(name, (workflows.Workflow,), namespace)


ActThenWrite = _declare(Act)
ActInTimeThenWrite = _declare(ActInTime)
ActAtomicallyThenWrite = _declare(ActAtomically)
ActAtomicallyInTimeThenWrite = _declare(ActAtomicallyInTime)
ActAtomicallyAgainThenWrite = _declare(ActAtomicallyAgain)
