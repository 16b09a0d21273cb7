"""What the console, REST and Python say in the first hour: no tables, no watchdog, the tables of an older version."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import ProgrammingError, connection, connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.urls import reverse

from django_wfe import order_workflow_execution, run_workflow
from django_wfe.engine.errors.database_trouble import list_unapplied_migrations
from django_wfe.models import DefinitionModule, Workflow
from tests.support.doors import api_calls
from tests.support.doors.console import list_messages, read_page, record, sign_in_superuser
from tests.support.running.engine_helpers import recording_dispatcher
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

((_APP, LAST_MIGRATION),) = MigrationLoader(None).graph.leaf_nodes("django_wfe")
UNAPPLIED = f"These migrations of django-wfe have not been applied: django_wfe.{LAST_MIGRATION}."
MIGRATE = "Run “python manage.py migrate”."
WATCHDOG = "No definition has been read yet. Start the watchdog: “python manage.py wfe_watchdog”."


@pytest.fixture
def partly_migrated(transactional_db) -> Iterator[None]:
    """The tables as an older version left them: a migration is not applied, and a table is not there."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_wfe_job RENAME TO hidden_job")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'django_wfe' AND name = %s", [LAST_MIGRATION])
    try:
        yield
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden_job RENAME TO django_wfe_job")
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('django_wfe', %s, now())", [LAST_MIGRATION]
            )


@pytest.mark.parametrize("page", ["django_wfe_console", "django_wfe_job_changelist", "django_wfe_inbox"])
def test_a_page_without_its_table_says_which_migrations_are_lacking(partly_migrated: None, page: str) -> None:
    response = sign_in_superuser().get(reverse(f"admin:{page}"))
    assert response.status_code == 503
    text = response.content.decode()
    assert UNAPPLIED in text
    assert MIGRATE in text


def test_the_index_of_the_admin_still_serves_every_other_app(partly_migrated: None) -> None:
    response = sign_in_superuser().get(reverse("admin:index"))
    assert response.status_code == 200
    text = read_page(response).text
    assert MIGRATE in text
    assert "Users" in text


def test_rest_answers_503_with_cause_and_cure(partly_migrated: None) -> None:
    response = api_calls.sign_in_superuser().get("/wfe/jobs/")
    assert response.status_code == 503
    assert response.json() == {"detail": f"{UNAPPLIED} {MIGRATE}"}


def test_python_callers_read_cause_and_cure_in_a_note(partly_migrated: None) -> None:
    for start in (order_workflow_execution, run_workflow):
        with pytest.raises(ProgrammingError) as raised:
            start(Linear)
        assert raised.value.__notes__ == [f"{UNAPPLIED} {MIGRATE}"]


def test_the_missing_migrations_are_read_beside_a_transaction_that_is_aborted(partly_migrated: None) -> None:
    with transaction.atomic():
        with pytest.raises(ProgrammingError), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM django_wfe_job")
        assert list_unapplied_migrations() == [f"django_wfe.{LAST_MIGRATION}"]
        transaction.set_rollback(True)


def test_a_thread_that_reads_the_missing_migrations_leaves_no_connection_behind(transactional_db: None) -> None:
    """Such a connection is closed when its thread's memory is cleared, or never."""

    def ask() -> list[bool]:
        assert list_unapplied_migrations() == []
        return [open_one.connection is None for open_one in connections.all(initialized_only=True)]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result() == [True]


@pytest.mark.parametrize("model", ["workflow", "job", "step", "definition"])
def test_an_empty_list_says_that_no_watchdog_has_worked_only_while_that_is_so(model: str) -> None:
    client, address = sign_in_superuser(), reverse(f"admin:django_wfe_{model}_changelist")
    assert list_messages(client.get(address)) == [WATCHDOG]
    DefinitionModule.objects.create(path="tests.workflows")
    assert list_messages(client.get(address)) == []


def test_home_and_inbox_say_so_too() -> None:
    client = sign_in_superuser()
    home, inbox = reverse("admin:django_wfe_console"), reverse("admin:django_wfe_inbox")
    assert WATCHDOG in read_page(client.get(home)).text
    assert list_messages(client.get(inbox)) == [WATCHDOG]
    with recording_dispatcher():
        record(Linear)
    assert Workflow.objects.exists()
    assert WATCHDOG not in read_page(client.get(home)).text
    assert list_messages(client.get(inbox)) == []
