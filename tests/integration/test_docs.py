"""What the pages under docs/ say is so: their examples run, their tables are those of the code."""

import ast
import inspect
import json
import re
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import load_command_class
from django.test import override_settings

from django_wfe import provide_external_input, run_workflow
from django_wfe.definition.secret_places import MASK
from django_wfe.engine import lifecycle
from django_wfe.engine.lifecycle import VERBS
from django_wfe.engine.project_code import classes
from django_wfe.models import Job, JobState, StepRunState
from django_wfe.retry import Retry
from django_wfe.steps import Step
from django_wfe.values.sealing import seal, unseal
from django_wfe.workflows import Workflow, list_problems
from tests.support.documents.distribution import ROOT
from tests.support.documents.readme_blocks import Block, read_blocks, read_commands
from tests.support.running.engine_helpers import read_log

pytestmark = pytest.mark.integration

DEFINITIONS = ROOT / "docs" / "definitions.md"
OPERATIONS = ROOT / "docs" / "operations.md"
SECRETS = ROOT / "docs" / "secrets.md"
MODULE = "wfe_documented_definitions"


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module that the blocks of docs/definitions.md make."""
    blocks = [block.text for block in read_blocks(DEFINITIONS)]
    (tmp_path / f"{MODULE}.py").write_text("\n\n".join(blocks))
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__(MODULE)
    del sys.modules[MODULE]
    classes.clear()


def test_the_documented_workflows_have_no_problems(documented: ModuleType) -> None:
    declared = [value for value in vars(documented).values() if isinstance(value, type) and issubclass(value, Workflow)]
    names = {workflow.__name__ for workflow in declared}
    assert names == {"MonthlyReport", "Delivery", "Purchase", "Billing", "Greeting", "Threaded"}
    for workflow in declared:
        assert list_problems(workflow) == ()


@pytest.mark.django_db(transaction=True)
def test_the_documented_workflows_run(documented: ModuleType) -> None:
    billing = Job.objects.get(pk=run_workflow(documented.Billing))
    assert (billing.state, billing.storage["data"][-1]["result"]) == (JobState.FINISHED, {"booked": 3})
    assert billing.storage["data"][1]["result"]["fetched_on"] == "2026-05-04"

    purchase = Job.objects.get(pk=run_workflow(documented.Purchase))
    items = [{"name": "Desk", "price": "90.00"}, {"name": "Lamp", "price": "20.00"}]
    assert purchase.state == JobState.INPUT_REQUIRED
    provide_external_input(purchase.pk, {"bought_on": "2026-05-04", "items": items})
    assert Job.objects.get(pk=purchase.pk).state == JobState.INPUT_RECEIVED

    report = Job.objects.get(pk=run_workflow(documented.MonthlyReport, input={"customer": 4711}))
    assert report.storage["data"][-1]["result"] == {"customer": 4711, "weekday": 7}


@pytest.mark.django_db(transaction=True)
def test_the_documented_thread_writes_into_the_log_of_its_step(documented: ModuleType) -> None:
    job = Job.objects.get(pk=run_workflow(documented.Threaded))
    assert read_log(job) == "this line is in the log of the step\n"


@pytest.mark.django_db(transaction=True)
def test_the_documented_async_step_reads_what_a_server_says(documented: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connected, _address = server.accept()
            with connected:
                connected.sendall(b"220 ready\r\n")

        greeter = threading.Thread(target=greet)
        greeter.start()
        address = {"host": "127.0.0.1", "port": server.getsockname()[1]}
        job = Job.objects.get(pk=run_workflow(documented.Greeting, input=address))
        greeter.join()
    assert (job.state, job.storage["data"][-1]["result"]) == (JobState.FINISHED, "220 ready")


@pytest.mark.django_db
def test_the_documented_secrets_are_kept_from_all_but_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block for block in read_blocks(SECRETS) if block.language == "python"]
    (tmp_path / "wfe_documented_secrets.py").write_text(blocks[0].text)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("wfe_documented_secrets")
    given = {"login": {"user": "ada", "password": "canary"}, "pin": 7351, "tokens": ["canary"], "key": "canary"}
    job = Job.objects.get(pk=run_workflow(module.Connecting, first_input=given))
    assert job.storage["data"][-1]["result"] == {"user": "ada", "characters": 6}
    assert job.storage["data"][-1]["external_data"] == {
        "login": {"user": "ada", "password": MASK},
        "pin": MASK,
        "tokens": [MASK],
        "key": MASK,
    }
    kept = json.dumps(list(job.step_runs.values_list("external_data", flat=True)))
    assert "canary" not in kept
    assert "7351" not in kept
    del sys.modules["wfe_documented_secrets"]
    classes.clear()
    settings: dict[str, Any] = {}
    monkeypatch.setenv("WFE_SECRET_KEYS", Fernet.generate_key().decode())
    exec(blocks[1].text, settings)
    with override_settings(WFE_SECRET_KEYS=settings["WFE_SECRET_KEYS"]):
        assert unseal(seal("canary")) == "canary"


def test_the_table_of_options_is_that_of_step() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| .+ \|$", DEFINITIONS.read_text(), re.MULTILINE)
    told = {name: ast.literal_eval(default) for name, default in rows}
    assert told == {name: getattr(Step, name) for name in inspect.get_annotations(Step)}


def test_the_defaults_of_retry_are_those_of_the_code() -> None:
    (told,) = re.findall(r"`Retry\((.+?=\(\))\)`", DEFINITIONS.read_text())
    call = ast.parse(f"f({told})", mode="eval").body
    assert isinstance(call, ast.Call)
    written = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert written.pop("on") == "Exception"
    assert Retry().on == (Exception,)
    defaults = {name: getattr(Retry(), name) for name in Retry.__slots__ if name != "on"}
    assert {name: ast.literal_eval(value) for name, value in written.items()} == defaults


def test_the_tables_of_states_and_verbs_are_those_of_the_code() -> None:
    text = OPERATIONS.read_text()
    states = [state.value for state in JobState] + [state.value for state in StepRunState]
    assert sorted(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)) == sorted(states)
    verbs = dict(re.findall(r"^\| (\w+) \| .+ \| `(\w+)` \|$", text, re.MULTILINE))
    assert verbs == {name: verb.permission.removeprefix("django_wfe.") for name, verb in VERBS.items()}


def test_the_documented_calls_fit_the_functions() -> None:
    calls = []
    for block in _find_blocks("python"):
        tree = ast.parse(block.text)
        exec(compile(tree, OPERATIONS.name, "exec"), {})
        calls += [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_lifecycle(node.func)]
    verbs = {"skip_step" if name == "skip" else f"{name}_job" for name in VERBS}
    assert {ast.unparse(call.func) for call in calls} == verbs | {"order_workflow_execution"}
    for call in calls:
        keywords: dict[str, Any] = {str(keyword.arg): keyword.value for keyword in call.keywords}
        inspect.signature(getattr(lifecycle, ast.unparse(call.func))).bind(*call.args, **keywords)


def test_the_documented_commands_are_there() -> None:
    (block,) = _find_blocks("console")
    for command in read_commands(block):
        _python, manage, name, *arguments = shlex.split(command.line)
        assert manage == "manage.py"
        load_command_class("django_wfe", name).create_parser("manage.py", name).parse_args(arguments)


def test_the_glossary_knows_each_word_once() -> None:
    words = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert len(words) == len(set(words))
    assert {"Workflow", "Job", "step run", "claim", "dispatch", "recovery", "incident", "event"} <= set(words)


def test_each_picture_is_there_and_each_that_is_there_is_shown() -> None:
    shown = set()
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r'(?:src|srcset)="([^"]+)"|!\[[^\]]*\]\(([^)]+)\)', page.read_text(encoding="utf-8")):
            shown.add((page.parent / "".join(link)).resolve())
    assert shown == set((ROOT / "docs" / "images").iterdir())


def _find_blocks(language: str) -> list[Block]:
    found = [block for block in read_blocks(OPERATIONS) if block.language == language]
    assert found
    return found


def _is_lifecycle(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and hasattr(lifecycle, function.id)
