"""Who may do what, and see what. Every service call, every page, every call of the API and every command asks here.

A right is a model permission (to start Jobs: one of two). A Workflow that names groups is in sight of their members
only, with all that belongs to it; what is out of sight is unknown to a person, whatever they may do. After both, the
project's policy is asked about single Jobs.

``actor=None`` stands for trusted Python code: it may do everything. Views pass the user of the request, always.
"""

from django_wfe.engine.access.actors import key_actor, name_actor, renew_actor
from django_wfe.engine.access.people import find_person, list_people, may_be_assigned
from django_wfe.engine.access.permission_names import (
    START_JOBS,
    list_sufficient,
    name_permission,
    say_permission_needed,
)
from django_wfe.engine.access.permissions import (
    PAUSE_WORKFLOW,
    PROVIDE_INPUT,
    VIEW_DATA,
    find_jobs_with_data,
    has_permission,
    may,
    may_answer,
    may_view_data,
    require_allowed,
    require_for_job,
    require_permission,
)
from django_wfe.engine.access.policy import (
    ANSWER_VERB,
    START_VERB,
    VIEW_DATA_VERB,
    is_allowed,
    is_job_in_sight,
    narrow_answerable,
    narrow_jobs,
)
from django_wfe.engine.access.shares import count_seen, count_shares, is_whole
from django_wfe.engine.access.sight import (
    find_nodes_in_sight,
    is_in_sight,
    list_workflows_in_sight,
)
from django_wfe.engine.access.visibility import (
    VISIBLE,
    list_items_in_sight,
    list_visible,
    list_visible_bulk_items,
    list_visible_bulk_runs,
    list_visible_definitions,
    list_visible_events,
    list_visible_exports,
    list_visible_jobs,
    list_visible_modules,
    list_visible_step_runs,
    list_visible_steps,
    list_visible_workers,
    list_visible_workflows,
)

__all__ = [
    "ANSWER_VERB",
    "PAUSE_WORKFLOW",
    "PROVIDE_INPUT",
    "START_JOBS",
    "START_VERB",
    "VIEW_DATA",
    "VIEW_DATA_VERB",
    "VISIBLE",
    "count_seen",
    "count_shares",
    "find_jobs_with_data",
    "find_nodes_in_sight",
    "find_person",
    "has_permission",
    "is_allowed",
    "is_in_sight",
    "is_job_in_sight",
    "is_whole",
    "key_actor",
    "list_items_in_sight",
    "list_people",
    "list_sufficient",
    "list_visible",
    "list_visible_bulk_items",
    "list_visible_bulk_runs",
    "list_visible_definitions",
    "list_visible_events",
    "list_visible_exports",
    "list_visible_jobs",
    "list_visible_modules",
    "list_visible_step_runs",
    "list_visible_steps",
    "list_visible_workers",
    "list_visible_workflows",
    "list_workflows_in_sight",
    "may",
    "may_answer",
    "may_be_assigned",
    "may_view_data",
    "name_actor",
    "name_permission",
    "narrow_answerable",
    "narrow_jobs",
    "renew_actor",
    "require_allowed",
    "require_for_job",
    "require_permission",
    "say_permission_needed",
]
