"""The first hour with the README's project, with the mistakes that people make: each names the cause and the cure."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents.shop_project import Shop, scratch_database
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("first_hour")]

MAKE_TABLES = "migrate -v 0 --run-syncdb"
"""The tables of the project's own model too, which has no migrations here."""

ORDER = """shell -v 0 -c 'from shop.models import Order; Order.objects.create(number="1042", paid=180)'"""
GIVEN = """--input '{"order": "1042"}'"""
MIGRATE = "Run “python manage.py migrate”."


@pytest.fixture(scope="module")
def broker_url(redis_url: str) -> str:
    return redis_url


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, broker_url: str) -> Iterator[Shop]:
    """The project as the tutorial leaves it before "migrate"."""
    with scratch_database(f"wfe_first_hour_{os.getpid()}") as database:
        yield Shop(tmp_path_factory.mktemp("shop"), database, broker_url)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory, broker_url: str) -> Iterator[Shop]:
    """The project after "migrate", before any watchdog."""
    with scratch_database(f"wfe_first_hour_{os.getpid()}_migrated") as database:
        project = Shop(tmp_path_factory.mktemp("migrated"), database, broker_url)
        code, said = project.run(MAKE_TABLES)
        assert (code, said) == (0, "")
        yield project


@pytest.fixture
def edited(migrated: Shop) -> Iterator[Shop]:
    """The same; the workflows file is put back at the end."""
    yield migrated
    migrated.workflows.write_text(migrated.declared)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("check", 0),
        ("wfe_check", 0),
        ("wfe_check --compare", 1),
        ("wfe_doctor", 1),
        ("wfe_doctor 1", 1),
        ("wfe_job list", 1),
        ("wfe_job start Refund", 1),
        ("wfe_watchdog --once", 1),
    ],
)
def test_without_migrate_every_command_says_to_run_it(shop: Shop, line: str, expected: int) -> None:
    code, said = shop.run(line)
    assert MIGRATE in said
    assert "django_wfe.0001_initial" in said
    assert "Traceback" not in said
    assert code == expected, said


@pytest.mark.parametrize(
    ("change", "cause", "cure"),
    [
        ('NAME="nowhere_at_all"', 'database "nowhere_at_all" does not exist', "Create it (“createdb nowhere_at_all”)"),
        ('PORT="1"', "failed", "Start PostgreSQL, or correct HOST and PORT in DATABASES"),
        ('HOST="/nowhere/at/all"', "No such file or directory", "Start PostgreSQL, or correct HOST and PORT"),
        ('USER="nobody_here"', "nobody_here", "USER"),
    ],
)
def test_a_database_that_cannot_be_had_is_told_with_the_setting_to_correct(
    shop: Shop, change: str, cause: str, cure: str
) -> None:
    code, said = shop.run("wfe_job list", f'DATABASES["default"].update({change})')
    assert (code, "Traceback" in said) == (1, False), said
    assert "The database does not answer: " in said
    assert cause in said
    assert cure in said


def test_check_says_why_the_database_does_not_answer_and_does_not_fail_of_it(shop: Shop) -> None:
    code, said = shop.run("check", 'DATABASES["default"]["NAME"] = "nowhere_at_all"')
    assert code == 0
    assert "(wfe.I002)" in said
    assert "createdb nowhere_at_all" in said


def test_a_watchdog_and_a_worker_that_begin_before_migrate_say_so_and_work_after_it(
    tmp_path: Path, broker_url: str
) -> None:
    with scratch_database(f"wfe_first_hour_{os.getpid()}_early") as database:
        shop = Shop(tmp_path, database, broker_url)
        watchdog_log, worker_log = tmp_path / "watchdog.log", tmp_path / "worker.log"
        patience = "WFE_WATCHDOG_INTERVAL = WFE_RECOVERY_INTERVAL = 1"
        with (
            shop.running("wfe_watchdog", watchdog_log, patience),
            shop.running("rundramatiq --processes 1 --threads 1", worker_log),
        ):
            for log in (watchdog_log, worker_log):
                wait_until(lambda log=log: MIGRATE in log.read_text(), timeout=60, message=log.read_text)
            wait_until(lambda: "ready for action" in worker_log.read_text(), timeout=60, message=worker_log.read_text)
            assert shop.run(MAKE_TABLES) == (0, "")
            wait_until(
                lambda: "The sync works again" in watchdog_log.read_text(), timeout=60, message=watchdog_log.read_text
            )
            wait_until(
                lambda: "Workers: 1 alive" in shop.run("wfe_doctor")[1], timeout=60, message=worker_log.read_text
            )
            code, said = shop.run("wfe_doctor")
        assert code == 0, said
        for log in (watchdog_log, worker_log):
            assert "Traceback" not in log.read_text()


def test_without_a_broker_every_command_ends_with_what_to_write(shop: Shop) -> None:
    for line in ("check", "migrate", "wfe_watchdog --once"):
        code, said = shop.run(line, "del DRAMATIQ_BROKER")
        assert code != 0
        assert "ImproperlyConfigured: DRAMATIQ_BROKER does not say which broker to use. Write, for RabbitMQ" in said
        assert '"BROKER": "dramatiq.brokers.rabbitmq.RabbitmqBroker",' in said
        assert "pika" not in said


def test_a_broker_that_does_not_answer_is_told_by_the_doctor_and_harms_no_start(migrated: Shop) -> None:
    away = 'DRAMATIQ_BROKER["OPTIONS"] = {"url": "redis://127.0.0.1:1/0"}'
    code, said = migrated.run("wfe_doctor", away)
    assert code == 1
    assert "WRONG   Broker: RedisBroker: Error 111 connecting to 127.0.0.1:1" in said
    assert "See that it runs, and look at DRAMATIQ_BROKER." in said
    code, said = migrated.run(f"wfe_job start Refund {GIVEN}", away)
    assert code == 0
    assert "was started; it is PENDING" in said
    assert "was not sent" in said
    assert "Traceback" not in said


def test_a_start_by_a_declared_path_or_name_needs_no_watchdog(tmp_path: Path, broker_url: str) -> None:
    with scratch_database(f"wfe_first_hour_{os.getpid()}_start") as database:
        shop = Shop(tmp_path, database, broker_url)
        assert shop.run(MAKE_TABLES) == (0, "")
        code, said = shop.run("wfe_job list")
        assert (code, said.splitlines()[-1]) == (
            0,
            "No jobs. No definition has been read yet. Start the watchdog: “python manage.py wfe_watchdog”.",
        )
        code, said = shop.run("wfe_doctor")
        assert "WRONG   Definitions: none has been read yet" in said
        assert shop.run(ORDER) == (0, "")
        code, said = shop.run("wfe_job start shop.workflow.Refund")
        assert (code, "Did you mean 'shop.workflows.Refund'?" in said) == (1, True), said
        code, said = shop.run(f"wfe_job start shop.workflows.Refund {GIVEN} --here")
        assert (code, "was started; it is INPUT_REQUIRED" in said) == (0, True), said
        started = 'django_wfe.order_workflow_execution("shop.workflows.Refund", input={"order": "1042"})'
        code, said = shop.run(f"shell -v 0 -c 'import django_wfe; print({started})'")
        assert (code, said.split()[-1]) == (0, "2")


def test_one_sync_of_a_broken_file_ends_with_1_and_names_it(edited: Shop) -> None:
    assert edited.run("wfe_watchdog --once")[0] == 0
    edited.workflows.write_text("def broken(")
    code, said = edited.run("wfe_watchdog --once")
    assert code == 1
    assert said.splitlines()[-1] == "CommandError: 1 definition has an error: shop.workflows"
    code, said = edited.run("wfe_job start Refund")
    assert code == 1
    assert "cannot start: its latest declaration has problems. Fix them" in said
    assert "Traceback" not in said


def test_a_broken_file_fails_the_check_and_lets_the_web_server_and_the_workers_begin(
    edited: Shop, tmp_path: Path
) -> None:
    edited.workflows.write_text("def broken(")
    for line in ("check", "wfe_check", "check --deploy"):
        code, said = edited.run(line)
        assert code == 1
        assert "shop.workflows cannot be imported: SyntaxError" in said
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    web_log, worker_log = tmp_path / "web.log", tmp_path / "worker.log"
    with (
        edited.running(f"runserver --noreload 127.0.0.1:{port}", web_log),
        edited.running("rundramatiq --processes 1 --threads 1", worker_log),
    ):
        wait_until(lambda: "development server at http" in web_log.read_text(), timeout=60, message=web_log.read_text)
        wait_until(lambda: "ready for action" in worker_log.read_text(), timeout=60, message=worker_log.read_text)
    for log in (web_log, worker_log):
        assert "(wfe.W005) WFE_WORKFLOWS: shop.workflows cannot be imported: SyntaxError" in log.read_text()


def test_near_misses_and_a_repeated_node_are_told_by_both_checks(edited: Shop) -> None:
    changed = edited.declared.replace("retry = steps.Retry(max_attempts=5, backoff=2)", "retries = 5")
    changed = changed.replace("FindOrder: [ChooseWay],", "FindOrder: [ChooseWay],\n        FindOrder: [AskAmount],")
    edited.workflows.write_text(changed)
    for line in ("check", "wfe_check"):
        code, said = edited.run(line)
        assert code == 1
        assert "it has 'retries', which nothing reads. Did you mean 'retry'?" in said
        assert "Write retry = Retry(max_attempts=3)." in said
        assert "FindOrder appears 2 times as a key of DIGRAPH, with [ChooseWay] and [AskAmount]" in said


def test_workflows_that_are_not_set_stop_the_watchdog_before_it_marks_them_as_deleted(migrated: Shop) -> None:
    for line in ("wfe_watchdog", "wfe_watchdog --once", "wfe_check"):
        code, said = migrated.run(line, "del WFE_WORKFLOWS")
        assert (code, said.splitlines()[-1]) == (
            1,
            "CommandError: WFE_WORKFLOWS is not set: name the module that defines your workflows.",
        )


def test_the_database_that_startproject_writes_is_told_to_be_the_wrong_one(migrated: Shop) -> None:
    sqlite = 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}'
    for line in ("check", "wfe_job list", "wfe_watchdog --once"):
        code, said = migrated.run(line, sqlite)
        assert (code, "Traceback" in said) == (1, False), said
        assert "sqlite" in said
        assert "needs PostgreSQL" in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("shop.workflows.Refund", "“Refund” is a class; write the module that holds it: “shop.workflows”."),
        ("shop/workflows.py", "write the module as Python imports it: “shop.workflows”."),
        ("shop.workflow", "Did you mean “shop.workflows”?"),
        ("shop", "Did you mean “shop.workflows”?"),
    ],
)
def test_a_wrong_entry_of_the_workflows_setting_is_told_what_was_meant(migrated: Shop, entry: str, said: str) -> None:
    code, output = migrated.run("wfe_check", f"WFE_WORKFLOWS = {entry!r}")
    assert code == 1
    assert said in output
    assert "Traceback" not in output
