"""Whether a new Job of a workflow may start: one rule for Python, the admin, REST and the commands."""

from __future__ import annotations

from django_wfe.conf import settings
from django_wfe.exceptions import InvalidWorkflow, WFEException, WorkflowDeleted
from django_wfe.models import DefinitionModule, Workflow
from django_wfe.values.sentences import gettext as _


def explain_no_start(workflow: Workflow) -> WFEException | None:
    """Return why no Job of this workflow may start now, or None if one may.

    Where its latest declaration has problems, none may: what would run is not what its developers have written last.
    Jobs that have started go on with the last good definition.
    """
    if workflow.deleted:
        return WorkflowDeleted(
            _("The workflow %(workflow)s is no longer declared in WFE_WORKFLOWS; no new job can start.")
            % {"workflow": workflow.path}
        )
    if workflow.load_error:
        return InvalidWorkflow(
            _(
                "The workflow %(workflow)s cannot start: its latest declaration has problems. Fix "
                "them, and let the watchdog read it: %(reason)s"
            )
            % {"workflow": workflow.path, "reason": workflow.trouble}
        )
    if workflow.current_definition_id is None:
        return InvalidWorkflow(
            _("The workflow %(workflow)s cannot start: no definition of it was ever loaded. %(cure)s")
            % {"workflow": workflow.path, "cure": say_how_to_read()}
        )
    return None


def require_startable(workflow: Workflow) -> int:
    """Return the id of the definition that a new Job of this workflow runs by.

    Raises:
        WorkflowDeleted, InvalidWorkflow: none may start, with the reason.
    """
    refusal = explain_no_start(workflow)
    if refusal is not None:
        raise refusal
    assert workflow.current_definition_id is not None  # noqa: S101  (explain_no_start has looked)
    return workflow.current_definition_id


def was_never_read() -> bool:
    """Return whether no module of ``WFE_WORKFLOWS`` was ever read into this database: no watchdog has worked yet."""
    return not DefinitionModule.objects.exists()


def explain_no_workflows() -> str:
    """Return why the database knows no workflow, and what to do, where no watchdog has worked yet; else ""."""
    if Workflow.objects.exists() or not was_never_read():
        return ""
    return _("No definition has been read yet. %(cure)s") % {"cure": say_how_to_read()}


def say_how_to_read() -> str:
    """Return what brings the definitions into the database."""
    if settings.watchdog_interval <= 0:
        return _("WFE_WATCHDOG_INTERVAL turns that off: set it to a number of seconds above 0.")
    return _("Start the watchdog: “python manage.py wfe_watchdog”.")
