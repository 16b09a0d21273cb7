"""Every exception that django-wfe raises. The docstring of a class is its default message."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

__all__ = [
    "CodeNotLoaded",
    "ContextFailed",
    "FinishedWorkflow",
    "GreenThreads",
    "InputCheckFailed",
    "InputNotAsked",
    "InputRequired",
    "Interrupt",
    "InvalidTransition",
    "InvalidWorkflow",
    "LargeValueUnavailable",
    "NotEncodable",
    "OtherInput",
    "PermissionRequired",
    "StepCanceled",
    "StepTimeout",
    "UnknownBulkRun",
    "UnknownJob",
    "UnknownWorkflow",
    "UnreadableSecret",
    "VerbFailed",
    "WFEException",
    "WorkflowDeleted",
    "WrongState",
]


class WFEException(Exception):
    """django-wfe could not do what was asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)


class WrongState(WFEException):
    """The job or step run is not in a state that allows this."""

    def __init__(self, message: str = "", *, state: str = "") -> None:
        """Build it with what is refused; ``state`` is the state that it is in, as a program compares it, or ""."""
        super().__init__(message)
        self.state = str(state)


class WorkflowDeleted(WFEException):
    """The workflow is no longer declared in WFE_WORKFLOWS, so no new job of it can start."""


class InputRequired(WrongState):
    """The job waits for external input; provide it with provide_external_input()."""


class FinishedWorkflow(WrongState):
    """The job has ended; nothing further can be done with it."""


class UnknownWorkflow(WFEException):
    """No workflow answers to this id, class or dotted path."""


class UnknownJob(WFEException):
    """No job has this id."""


class InvalidWorkflow(WFEException):
    """The workflow's declaration has problems; run "manage.py wfe_check" to see them."""


class CodeNotLoaded(WFEException):
    """A class named by a definition cannot be imported by this process."""


class ContextFailed(WFEException):
    """The class that WFE_CONTEXT names could not capture, enter or leave what surrounds a job."""


class InputNotAsked(WFEException):
    """The workflow, or its first step, asks for no input, so a start cannot bring any along."""


class OtherInput(WFEException):
    """A job was started with this key before, and with other input."""

    def __init__(self, message: str = "", *, fields: Sequence[str] = ()) -> None:
        """Build it with the names of the ``fields`` that differ; their values are in no message."""
        super().__init__(message)
        self.fields = tuple(fields)


class NotEncodable(WFEException):
    """A value cannot be stored as JSON."""


class UnreadableSecret(WFEException):
    """No key decrypts a secret that was given as input; it has to be given again."""


class LargeValueUnavailable(WFEException):
    """The storage of large values does not work, or lacks a file."""

    def __init__(self, message: str = "", *, is_lost: bool = False) -> None:
        """Build it; ``is_lost`` says that asking again will not help, since the file is gone or was changed."""
        super().__init__(message)
        self.is_lost = is_lost


class InputCheckFailed(WFEException):
    """The project's code that checks an input raised an error of its own."""


class VerbFailed(WFEException):
    """The project's code of a verb raised an error of its own; nothing was done."""


class InvalidTransition(WFEException):
    """The value that transition() returned does not name an edge of the node."""


class UnknownBulkRun(WFEException):
    """No bulk run of this id."""


class PermissionRequired(WFEException):
    """The user does not have the permission that this action needs."""

    def __init__(self, message: str = "", *, permission: str = "") -> None:
        super().__init__(message)
        self.permission = permission


class GreenThreads(WFEException):
    """Steps cannot run in a process whose threads were patched by gevent or eventlet."""


class Interrupt(BaseException):
    """Raised inside a running step from outside.

    It is not an Exception, so that a step's own ``except Exception`` does not swallow it. Let it pass through.
    """


class StepTimeout(Interrupt):
    """The step ran longer than its timeout."""


class StepCanceled(Interrupt):
    """The step's job was canceled while it ran."""
