"""What ``manage.py check`` says about the settings of a project."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.checks import CheckMessage, Error, Info, registry, run_checks
from django.db import connections
from django.db.utils import ConnectionHandler
from django.utils.module_loading import import_string

from django_wfe.checks import project_checks
from tests.definition_files import TWO_STEPS, UNREACHABLE, Project, open_project

pytestmark = pytest.mark.unit


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        yield opened


def only(messages: list[CheckMessage]) -> CheckMessage:
    assert len(messages) == 1, messages
    return messages[0]


def give_broker(settings, *middleware: object) -> None:
    settings.DRAMATIQ_BROKER = {
        "BROKER": "dramatiq.brokers.stub.StubBroker",
        "MIDDLEWARE": [*middleware, project_checks._CONNECTIONS_MIDDLEWARE],
    }


def pretend_database(monkeypatch, **values: object) -> None:
    """Let ``connections["default"]`` be of these settings, without a connection."""
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "x", "CONN_MAX_AGE": 60, **values}
    monkeypatch.setattr(project_checks, "connections", ConnectionHandler({"default": database}))


def test_all_checks_are_registered_under_the_tag():
    registered = {check for check in registry.registry.get_checks() if project_checks.TAG in check.tags}
    assert registered == {
        project_checks.check_database,
        project_checks.check_broker,
        project_checks.check_dispatcher,
        project_checks.check_policy,
        project_checks.check_context,
        project_checks.check_storage,
        project_checks.check_settings,
        project_checks.check_workflows,
        project_checks.check_migrations,
    }


def test_every_message_has_an_own_id_and_a_hint(project, settings, monkeypatch):
    project.write("flows", UNREACHABLE)
    settings.WFE_SLICE_SECONDS = "x"
    give_broker(settings, project_checks._SLOW_MIDDLEWARE, project_checks._MOVED_MIDDLEWARE)
    pretend_database(monkeypatch, CONN_MAX_AGE=0)
    messages = run_checks(tags=[project_checks.TAG])
    assert {message.id for message in messages} == {"wfe.E007", "wfe.E008", "wfe.I001", "wfe.W001", "wfe.W002"}
    assert all(message.hint for message in messages)


def test_a_sound_project_has_nothing_to_say(project, settings, monkeypatch):
    project.write("flows", TWO_STEPS)
    pretend_database(monkeypatch)
    assert run_checks(tags=[project_checks.TAG]) == []


def test_no_check_connects_to_the_database(project, monkeypatch):
    project.write("flows", TWO_STEPS)

    def refuse(*args: object) -> None:
        raise AssertionError("a check has connected")

    monkeypatch.setattr(type(connections["default"]), "get_new_connection", refuse)
    monkeypatch.setattr(connections["default"], "connection", None)
    run_checks(tags=[project_checks.TAG])


@pytest.mark.parametrize("engine", ["django.db.backends.sqlite3", "django.db.backends.dummy"])
def test_another_database_is_an_error_that_says_so(monkeypatch, engine):
    pretend_database(monkeypatch, ENGINE=engine)
    message = only(project_checks.check_database(None))
    assert isinstance(message, Error)
    assert message.id == "wfe.E001"
    assert "django-wfe needs PostgreSQL" in message.msg
    assert "django.db.backends.postgresql" in message.hint


def test_a_database_backend_that_does_not_exist_is_an_error(monkeypatch):
    pretend_database(monkeypatch, ENGINE="nowhere.at_all")
    assert only(project_checks.check_database(None)).id == "wfe.E001"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"CONN_MAX_AGE": 0}, True),
        ({"CONN_MAX_AGE": 60}, False),
        ({"CONN_MAX_AGE": None}, False),
        ({"CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}}, False),
    ],
)
def test_a_connection_for_each_message_is_worth_a_word(monkeypatch, values, told):
    pretend_database(monkeypatch, **values)
    messages = project_checks.check_database(None)
    assert [message.id for message in messages] == (["wfe.I001"] if told else [])
    assert all(isinstance(message, Info) for message in messages)


@pytest.mark.parametrize("value", [None, {}, {"BROKER": ""}, "dramatiq.brokers.stub.StubBroker"])
def test_a_missing_broker_is_an_error_whose_hint_can_be_pasted(settings, value):
    if value is None:
        del settings.DRAMATIQ_BROKER
    else:
        settings.DRAMATIQ_BROKER = value
    message = only(project_checks.check_broker(None))
    assert (message.id, isinstance(message, Error)) == ("wfe.E002", True)
    pasted: dict[str, dict[str, object]] = {}
    exec(message.hint.partition("\n")[2], pasted)
    settings.DRAMATIQ_BROKER = pasted["DRAMATIQ_BROKER"]
    assert project_checks.check_broker(None) == []
    assert all(import_string(path) for path in pasted["DRAMATIQ_BROKER"]["MIDDLEWARE"])


def test_the_app_that_brings_the_messages_must_be_installed(monkeypatch):
    monkeypatch.setattr(project_checks.apps, "is_installed", lambda app: app != "django_dramatiq")
    assert only(project_checks.check_broker(None)).id == "wfe.E003"


def test_broken_connections_that_nobody_closes_are_a_warning(settings):
    settings.DRAMATIQ_BROKER = {"BROKER": "dramatiq.brokers.stub.StubBroker"}
    message = only(project_checks.check_broker(None))
    assert (message.id, project_checks._CONNECTIONS_MIDDLEWARE in message.hint) == ("wfe.W011", True)


def test_middleware_that_harms_is_a_warning_as_text_and_as_object(settings):
    from django_dramatiq.middleware import AdminMiddleware

    for entry in ("django_dramatiq.middleware.AdminMiddleware", AdminMiddleware()):
        give_broker(settings, entry)
        assert only(project_checks.check_broker(None)).id == "wfe.W001"
    give_broker(settings, "dramatiq.middleware.Prometheus")
    assert only(project_checks.check_broker(None)).id == "wfe.W002"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WFE_WORKFLOWS", 5),
        ("WFE_WORKFLOWS", [""]),
        ("WFE_WORKFLOWS", b"flows"),
        ("WFE_WATCHDOG_INTERVAL", "5"),
        ("WFE_RECOVERY_INTERVAL", 0),
        ("WFE_DISCOVERY_TIMEOUT", -1),
        ("WFE_MAX_RESULT_BYTES", True),
        ("WFE_MAX_ANSWER_BYTES", 0),
        ("WFE_MAX_JSON_VALUES", "many"),
        ("WFE_WORKER_TIMEOUT", None),
    ],
)
def test_a_setting_of_the_wrong_kind_is_an_error_with_its_name_and_value(settings, name, value):
    setattr(settings, name, value)
    message = only(project_checks.check_settings(None))
    assert message.id == "wfe.E007"
    assert name in message.msg
    assert repr(value) in message.msg or repr(value[0]) in message.msg


def test_a_folder_for_logs_that_cannot_be_written_is_a_warning(settings, tmp_path):
    (tmp_path / "file").touch()
    settings.WFE_LOG_DIR = str(tmp_path / "file" / "logs")
    message = only(project_checks.check_settings(None))
    assert (message.id, repr(settings.WFE_LOG_DIR) in message.msg) == ("wfe.W013", True)
    for folder in (tmp_path, tmp_path / "made" / "when" / "needed"):
        settings.WFE_LOG_DIR = str(folder)
        assert project_checks.check_settings(None) == []


def test_a_watchdog_interval_of_zero_is_allowed(settings):
    settings.WFE_WATCHDOG_INTERVAL = 0
    assert project_checks.check_settings(None) == []


@pytest.mark.parametrize("value", [None, (), []])
def test_missing_workflows_are_an_error(settings, value):
    if value is None:
        del settings.WFE_WORKFLOWS
    else:
        settings.WFE_WORKFLOWS = value
    assert only(project_checks.check_workflows(None)).id == "wfe.E004"


@pytest.mark.parametrize("source", [None, "1 / 0", "def (", "import sys; sys.exit(0)", "import nowhere_at_all"])
def test_a_workflows_file_that_cannot_be_imported_is_an_error_and_no_crash(project, source):
    if source is not None:
        project.write("flows", source)
    message = only(project_checks.check_workflows(None))
    assert (message.id, isinstance(message, Error)) == ("wfe.E005", True)
    assert project.flows in message.msg


@pytest.mark.parametrize(
    ("source", "number"), [("1 / 0", "005"), ("import nowhere_at_all", "005"), ("", "006"), (UNREACHABLE, "008")]
)
@pytest.mark.parametrize("command", ["runserver", "rundramatiq", "migrate", "check", "not-a-command"])
def test_a_broken_file_fails_the_check_and_lets_every_other_command_begin(
    project, monkeypatch, source, number, command
):
    project.write("flows", source)
    monkeypatch.setattr(sys, "argv", ["manage.py", command])
    message = only(project_checks.check_workflows(None))
    fails = command in ("check", "not-a-command")
    assert (message.id, isinstance(message, Error)) == (f"wfe.{'E' if fails else 'W'}{number}", fails)
    assert ("No new job of it starts until then." in message.hint) != fails


@pytest.mark.parametrize("value", [[], ["nowhere.at_all"]])
def test_a_setting_that_is_wrong_stops_every_command(settings, monkeypatch, value):
    settings.WFE_WORKFLOWS = value
    monkeypatch.setattr(sys, "argv", ["manage.py", "runserver"])
    assert isinstance(only(project_checks.check_workflows(None)), Error)


def test_near_misses_are_warnings_with_their_cure(project):
    project.write("flows", TWO_STEPS.replace("class Flow(Workflow):", "class Flow(Workflow):\n    group = ['clerks']"))
    message = only(project_checks.check_workflows(None))
    assert (message.id, type(message).__name__) == ("wfe.W010", "Warning")
    assert "Did you mean 'groups'?" in message.msg


def test_a_workflow_whose_graph_is_misspelt_is_told_so_beside_the_empty_module(project):
    project.write("flows", TWO_STEPS.replace("DIGRAPH", "DIAGRAPH"))
    empty, near_miss = project_checks.check_workflows(None)
    assert empty.id == "wfe.E006"
    assert "Did you mean 'DIGRAPH'?" in near_miss.msg


def test_a_workflows_file_without_a_workflow_is_an_error(project):
    project.write("flows", "from django_wfe.workflows import *\nclass Base(Workflow): pass")
    assert only(project_checks.check_workflows(None)).id == "wfe.E006"


def test_a_slow_workflows_file_is_waited_for(project):
    project.write("flows", "import time\ntime.sleep(0.3)\n" + TWO_STEPS)
    assert project_checks.check_workflows(None) == []


def test_a_problem_of_a_graph_names_workflow_node_and_cure(project):
    project.write("flows", UNREACHABLE)
    message = only(project_checks.check_workflows(None))
    assert message.id == "wfe.E008"
    assert message.msg == f"{project.flows}.Flow, node {project.flows}.Lonely: it cannot be reached from the start."
    assert message.hint == "Add an edge to it, or remove it."


def test_a_workflow_that_two_modules_name_is_told_once(project, settings):
    settings.WFE_WORKFLOWS = [project.flows, f"{project.package}.more"]
    project.write("flows", UNREACHABLE)
    project.write("more", "from PACKAGE.flows import *")
    assert len(project_checks.check_workflows(None)) == 1
