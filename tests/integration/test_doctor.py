"""``manage.py wfe_doctor``: what is wrong with the engine, and why a job is where it is."""

import json
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import dramatiq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from django_wfe import run_workflow
from django_wfe.engine.lifecycle import order_workflow_execution, pause_workflow
from django_wfe.management import health
from django_wfe.models import DefinitionModule, StepRun, Worker, Workflow
from django_wfe.tasks import run_step
from django_wfe.watchdog.leadership import Leadership
from tests import workflows
from tests.support.running.engine_helpers import recording_dispatcher

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with recording_dispatcher():
        yield


@pytest.fixture
def leader() -> Iterator[Leadership]:
    leadership = Leadership()
    assert leadership.hold()
    yield leadership
    leadership.release()


@pytest.fixture
def use_broker() -> Iterator[Any]:
    """Make a broker this process's own for the length of a test."""
    before = dramatiq.get_broker()
    yield dramatiq.set_broker
    dramatiq.set_broker(before)


def consult(*arguments: str) -> tuple[str, int]:
    """Run the command; give what it prints and its exit code."""
    output = StringIO()
    try:
        call_command("wfe_doctor", *arguments, stdout=output, no_color=True)
    except CommandError as error:
        return output.getvalue(), error.returncode
    return output.getvalue(), 0


def find(name: str) -> health.Finding:
    return next(finding for finding in health.examine() if finding.name == name)


def test_a_sound_engine_is_told_as_such_and_ends_with_zero(leader: Leadership, use_broker: Any, redis_url: str) -> None:
    use_broker(RedisBroker(url=redis_url, middleware=[]))
    Worker.objects.create(hostname="barn", pid=7)
    run_workflow(workflows.Linear)
    output, code = consult()
    assert code == 0, output
    assert "WRONG" not in output
    for line in ("Broker: RedisBroker", "Database: PostgreSQL", "Migrations: all applied"):
        assert line in output
    assert f"Watchdog: {socket.gethostname()}:{os.getpid()} has led for " in output
    assert "barn:7" in output


def test_each_thing_that_is_wrong_comes_with_its_cure_and_the_exit_code_is_one() -> None:
    output, code = consult()
    assert code == 1
    assert "WRONG   Workers: none" in output
    assert "manage.py rundramatiq" in output
    assert "WRONG   Watchdog: none leads" in output
    assert "manage.py wfe_watchdog" in output
    assert "WRONG   Broker: StubBroker" in output, "messages in memory reach nobody else"


def test_machines_read_the_findings_as_json() -> None:
    output, code = consult("--json")
    findings = {finding["name"]: finding for finding in json.loads(output)}
    assert code == 1
    assert findings["Database"]["ok"] is True
    assert findings["Workers"]["ok"] is False
    assert findings["Workers"]["cure"]


def test_a_broker_that_does_not_answer_is_wrong(use_broker: Any) -> None:
    use_broker(RedisBroker(url="redis://127.0.0.1:1/0", middleware=[]))
    finding = find("Broker")
    assert not finding.ok
    assert "RedisBroker" in finding.text
    use_broker(RabbitmqBroker(url="amqp://guest:guest@127.0.0.1:1/?connection_attempts=1", middleware=[]))
    assert not find("Broker").ok


def test_a_rabbitmq_that_answers_is_sound(use_broker: Any, rabbitmq_url: str) -> None:
    use_broker(RabbitmqBroker(url=rabbitmq_url, middleware=[]))
    assert find("Broker").ok


def test_a_silent_worker_is_not_alive_and_one_that_lacks_code_is_named() -> None:
    worker = Worker.objects.create(hostname="barn", pid=7, last_seen=Now() - timedelta(hours=1))
    assert "last heartbeat" in find("Workers").text
    Worker.objects.filter(pk=worker.pk).update(last_seen=Now(), lacks={"shop.flows.Charge": "no module shop"})
    finding = find("Workers")
    assert not finding.ok
    assert "barn:7: shop.flows.Charge" in finding.text


def test_definitions_that_no_watchdog_has_read_are_wrong_until_one_has() -> None:
    finding = find("Definitions")
    assert (finding.ok, finding.text) == (False, "none has been read yet")
    assert finding.cure == "Start the watchdog: “python manage.py wfe_watchdog”."
    run_workflow(workflows.Linear)
    assert find("Definitions").ok, "a project may start its workflows by their classes alone"


def test_a_project_without_django_dramatiq_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.apps, "is_installed", lambda app: app != "django_dramatiq")
    finding = find("Broker")
    assert (finding.ok, finding.text) == (False, "django_dramatiq is not in INSTALLED_APPS")


def test_workflows_that_are_not_set_are_wrong(settings: Any) -> None:
    settings.WFE_WORKFLOWS = ()
    finding = find("Definitions")
    assert (finding.ok, finding.text) == (False, "WFE_WORKFLOWS is not set")
    assert "Write WFE_WORKFLOWS = " in finding.cure


def test_workers_that_read_other_queues_are_wrong_and_those_of_which_it_is_not_known_are_not() -> None:
    worker = Worker.objects.create(hostname="barn", pid=7, queues="default mail")
    finding = find("Workers")
    assert not finding.ok
    assert finding.text == f"none reads the queue {run_step.queue_name}; they read: default, mail"
    assert "Set the same WFE_QUEUE for every process" in finding.cure
    for queues in ("", f"default {run_step.queue_name}"):
        Worker.objects.filter(pk=worker.pk).update(queues=queues)
        assert find("Workers").ok


def test_workers_that_got_messages_of_another_database_are_wrong() -> None:
    Worker.objects.create(hostname="barn", pid=7, foreign_messages={"blog/3f2a9c1d04be": 12})
    finding = find("Workers")
    assert not finding.ok
    assert "got messages of another database: blog/3f2a9c1d04be: 12" in finding.text
    assert "Set a different WFE_QUEUE for each" in finding.cure


def test_a_definition_that_failed_to_load_is_wrong() -> None:
    DefinitionModule.objects.create(path="shop.fine")
    assert find("Definitions").ok
    DefinitionModule.objects.create(path="shop.flows", error="ImportError:\nno module named shop")
    finding = find("Definitions")
    assert (finding.ok, finding.text) == (False, "shop.flows: no module named shop")
    assert "wfe_check" in finding.cure


def test_a_migration_that_is_missing_is_wrong_and_nothing_more_is_looked_at() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'django_wfe' RETURNING name, applied")
        applied = cursor.fetchall()
    try:
        findings = list(health.examine())
    finally:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('django_wfe', %s, %s)", applied
            )
    assert findings[-1].name == "Migrations"
    assert not findings[-1].ok
    assert "0001_initial" in findings[-1].text


def test_a_database_that_is_away_is_told_and_not_raised() -> None:
    connection.close()
    host, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], "1"
    try:
        finding = find("Database")
        output, code = consult()
    finally:
        connection.close()
        connection.settings_dict["PORT"] = host
    assert not finding.ok
    assert code == 1
    assert "WRONG   Database" in output


def test_a_step_that_is_ready_for_long_is_wrong_unless_it_is_held_back() -> None:
    job_id = order_workflow_execution(workflows.Linear)
    assert find("Oldest ready step").ok, "it has only just become ready"
    StepRun.objects.filter(job=job_id).update(due_at=Now() - timedelta(hours=1))
    finding = find("Oldest ready step")
    assert not finding.ok
    assert f"in job {job_id}" in finding.text
    assert "3600 s" in finding.text
    pause_workflow(Workflow.objects.get(jobs=job_id).pk)
    assert find("Oldest ready step").ok


def test_incidents_are_counted_and_are_not_wrong_with_the_engine() -> None:
    for _ in range(2):
        run_workflow(workflows.Failing)
    finding = find("Incidents")
    assert (finding.ok, finding.text) == (True, "1, with 2 failed jobs")


def test_a_job_is_explained_with_its_way_out() -> None:
    job_id = run_workflow(workflows.Failing)
    output, code = consult(str(job_id))
    assert code == 1
    assert output.startswith(f"Failing:{job_id} FAILED: “Fail” failed")
    assert "Way out: Fix the cause" in output
    explained = json.loads(consult(str(job_id), "--json")[0])
    assert (explained["job"], explained["code"]) == (job_id, "failed")


def test_a_job_that_is_as_it_should_be_ends_with_zero() -> None:
    assert consult(str(run_workflow(workflows.Linear)))[1] == 0
    assert consult(str(run_workflow(workflows.Asking)))[1] == 0


@pytest.mark.parametrize("job", ["987654", "0", str(2**70)])
def test_a_job_that_there_is_not_ends_with_one(job: str) -> None:
    assert consult(job) == ("", 1)
