"""The statements of the hot path take the connection as Django's own cursors would."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_wfe import run_workflow
from django_wfe.models import Job, JobState
from tests import workflows

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
