"""The statements of the hot path take the connection as Django's own cursors would."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_wfe import order_workflow_execution, run_workflow, steps
from django_wfe.engine.store import statements
from django_wfe.engine.store.prepared import Statement
from django_wfe.engine.store.start_statements import build_start
from django_wfe.models import Job, JobState
from django_wfe.workflows import Workflow
from tests import workflows
from tests.support.running.engine_helpers import recording_dispatcher

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def health_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connection.close()  # the next connection reads the setting
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", True)
    yield
    connection.close()


@pytest.mark.usefixtures("health_checks")
def test_a_connection_that_died_while_it_was_kept_open_is_replaced_where_health_checks_are_on() -> None:
    run_workflow(workflows.Linear)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        died = cursor.fetchone()[0]
    end_backend(died)
    connection.health_check_done = False  # as at the begin of each request
    job = Job.objects.get(pk=run_workflow(workflows.Linear))
    assert job.state == JobState.FINISHED


def test_they_are_seen_by_whoever_looks_at_the_queries() -> None:
    run_workflow(workflows.Linear)
    with CaptureQueriesContext(connection) as queries:
        run_workflow(workflows.Linear)
    assert sum("EXECUTE wfe_finish" in query["sql"] for query in queries) == 3


def test_a_wrapper_around_queries_is_called_for_them() -> None:
    seen: list[str] = []

    def look(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        run_workflow(workflows.Linear)
    assert any("wfe_start" in sql for sql in seen)


def end_backend(pid: int) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    finally:
        other.close()


@pytest.fixture
def plain() -> Iterator[None]:
    """Run the statements without preparing them, as behind PgBouncer in transaction mode."""
    connection.close()
    connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
    yield
    connection.close()
    connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = False


def list_prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'wfe%'")
        return [name for (name,) in cursor.fetchall()]


def test_a_session_that_was_cleared_behind_the_engine_is_gone_on_with() -> None:
    run_workflow(workflows.Linear)
    assert list_prepared()
    for statement in ("DISCARD ALL", "DEALLOCATE ALL"):
        with connection.cursor() as cursor:
            cursor.execute(statement)
        assert not list_prepared()
        assert Job.objects.get(pk=run_workflow(workflows.Linear)).state == JobState.FINISHED
    run_workflow(workflows.Linear)
    assert list_prepared(), "they are prepared anew"


def test_a_session_in_which_others_have_prepared_the_same_is_gone_on_with() -> None:
    connection.close()
    with connection.cursor() as cursor:
        for statement in (build_start(), statements.FINISH_JOB, statements.FIND_WORKFLOW_BY_PATH):
            cursor.execute(statement.prepare)
    assert Job.objects.get(pk=run_workflow(workflows.Linear)).state == JobState.FINISHED


@pytest.mark.usefixtures("plain")
def test_nothing_is_prepared_where_sessions_are_shared() -> None:
    assert Job.objects.get(pk=run_workflow(workflows.Linear)).state == JobState.FINISHED
    assert list_prepared() == []


def test_a_name_stands_for_one_text() -> None:
    one, same = (Statement("probe", "SELECT %(id)s") for _ in range(2))
    other = Statement("probe", "SELECT %(id)s + 0")
    assert one.execute == same.execute
    assert other.execute != one.execute


class StartAnother(steps.Step):
    def execute(self) -> int:
        return order_workflow_execution(workflows.Linear)


class Starting(Workflow):
    DIGRAPH = {steps.__start__: [StartAnother]}


def test_a_step_that_starts_a_job_keeps_its_session() -> None:
    with recording_dispatcher():
        connection.close()
        run_workflow(Starting)
        raw = connection.connection
        run_workflow(Starting)
    assert raw is not None
    assert connection.connection is raw
