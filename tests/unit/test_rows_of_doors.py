"""The doors (admin, REST, commands) have their rows from ``engine.rights``, or from a row that they have from there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import django_wfe

pytestmark = pytest.mark.unit

PACKAGE = Path(django_wfe.__file__).parent
MANAGERS = {"objects", "_default_manager", "_base_manager"}

BESIDE_A_FOUND_ROW = {
    "admin/workflows/comparing.py": {"show_comparison", "_find"},
    "admin/jobs/comparing.py": {"load_runs"},
    "admin/jobs/downloads.py": {"show_workflow_graph", "show_job_graph"},
    "admin/incidents/page.py": {"find_incident_of", "_list_last_runs"},
    "admin/jobs/graph.py": {"load_groups", "load_visits"},
    "admin/jobs/page.py": {"list_events"},
    "admin/jobs/started_with.py": {"load_started_with"},
    "admin/jobs/window.py": {"load_window", "find_place"},
    "admin/runs/log_tail.py": {"read_tail", "show_tail"},
    "admin/runs/rows.py": {"list_answers"},
    "admin/runs/present.py": {"_find_subject"},
    "admin/verbs/pausing.py": {"_show"},
    "admin/elements/payloads.py": {"load_text_previews", "load_log_previews"},
    "admin/jobs/step_runs.py": {"show_data"},
    "admin/verbs/repair_pages.py": {
        "list_rerun_choices",
        "_load_former_input",
        "list_former_runs",
    },
    "admin/verbs/skipping.py": {"_find_runs", "_load_example"},
    "admin/verbs/step_input.py": {"load_step_input"},
    "admin/inbox/answering.py": {"load_former_answer"},
    "admin/workflows/versions.py": {"build_versions", "choose_definition"},
    "api/frame/storage.py": {"load_storages"},
}
"""Functions that are given rows which the user sees, and read what hangs on those."""

NARROWED_AFTERWARDS = {
    "admin/home/page.py": {"find_oldest_ready"},  # job__in=list_visible_jobs(...)
    "management/job_commands/choosing.py": {"choose_jobs"},  # ids of chosen jobs
    "admin/bulk/filters.py": {"preview_filter"},  # the newest id, to bound the rows of the list
    "admin/jobs/filters.py": {"queryset"},  # ids to look for among the jobs of the list
    "api/assignments.py": {"post"},  # is_job_in_sight(...)
}

JUST_CHANGED_FOR_THE_USER = {
    "admin/inbox/assigning.py": {"_log"},
    "admin/frame/history.py": {"log_starts", "_log"},
    "admin/starting/one.py": {"_start"},
    "api/inputs.py": {"post"},
    "api/jobs.py": {"post"},
    "api/operations.py": {"apply"},
    "api/workflow_operations.py": {"_answer"},
    "management/job_commands/acting.py": {"start_one", "_apply_to_ids", "_say_where"},
}
"""Functions that show where the row stands that the engine has let the user change."""

NO_USER_ASKS = {
    "management/commands/wfe_check.py": {"_print_differences"},
    "management/commands/wfe_doctor.py": {"_explain"},
    "management/commands/wfe_graph.py": {"_find_graph_in_database"},
    "management/health.py": {"examine_workers", "examine_definitions", "examine_queue"},
}

KNOWN = {
    (path, function)
    for reason in (BESIDE_A_FOUND_ROW, NARROWED_AFTERWARDS, JUST_CHANGED_FOR_THE_USER, NO_USER_ASKS)
    for path, functions in reason.items()
    for function in functions
}


def find_managers(node: ast.AST, function: str = "") -> Iterator[str]:
    """Yield the function around each use of a model's manager."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Attribute) and child.attr in MANAGERS:
            yield function
        inside = child.name if isinstance(child, ast.FunctionDef) else function
        yield from find_managers(child, inside)


def test_no_door_asks_a_model_for_its_rows_but_where_it_is_said_why() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), function)
        for room in ("admin", "api", "management")
        for path in (PACKAGE / room).rglob("*.py")
        for function in find_managers(ast.parse(path.read_text()))
    }
    unknown = sorted(found - KNOWN)
    assert unknown == [], "have the rows from engine.rights, or say here why they are the user's to see"
    assert sorted(KNOWN - found) == [], "no longer there: take it out of this list"
