"""The OpenAPI description, in a process of its own: which packages there are is decided when modules are imported."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import tests.settings as settings
"""

GENERATE = f"""{PREAMBLE}
settings.INSTALLED_APPS.append("drf_spectacular")
settings.REST_FRAMEWORK = {{"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}}
settings.SPECTACULAR_SETTINGS = {{"TITLE": "Jobs", "VERSION": "1"}}
import django
django.setup()
from django.core.management import call_command
call_command("spectacular", validate=True, fail_on_warn=True, format="openapi-json")
"""

WITH_A_VERB = GENERATE.replace(
    "from django.core",
    "from django_wfe.verbs import register\n"
    "from tests.integration.test_verb_options import Note\n"
    "register(Note)\n"
    "from django.core",
)

WITHOUT = f"""{PREAMBLE}
sys.modules["drf_spectacular"] = None
import django
django.setup()
from django.urls import reverse
from rest_framework.test import APIClient
print(reverse("django_wfe:job_list"), "drf_spectacular.utils" in sys.modules)
"""


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """The description as drf-spectacular gives it, validated, its warnings being errors."""
    pytest.importorskip("drf_spectacular")
    loaded: dict[str, Any] = json.loads(run_python(GENERATE))
    return loaded


def test_every_call_is_described_once(description: dict[str, Any]) -> None:
    from tests.support.doors.api_calls import CALLS

    described = {(method.upper(), path) for path, calls in description["paths"].items() for method in calls}
    # The ids' names differ between the tests' templates and the addresses.
    assert len(described) == len(CALLS)
    operations = [call for calls in description["paths"].values() for call in calls.values()]
    names = [call["operationId"] for call in operations]
    assert len(set(names)) == len(names)
    assert {"wfe_list_jobs", "wfe_start_job", "wfe_provide_job_input", "wfe_rerun_job"} <= set(names)
    for call in operations:
        assert call["summary"]
        assert call["description"]
        assert {"403"} <= set(call["responses"])


def test_the_addresses_are_described_without_regular_expressions(description: dict[str, Any]) -> None:
    assert "/wfe/jobs/{job_id}/input/" in {path.rstrip("/") + "/" for path in description["paths"]}
    assert not any(sign in path for path in description["paths"] for sign in "?^$()\\[]")


def test_ids_are_numbers(description: dict[str, Any]) -> None:
    for path, calls in description["paths"].items():
        for call in calls.values():
            in_path = [parameter for parameter in call.get("parameters", []) if parameter["in"] == "path"]
            assert len(in_path) == path.count("{")
            assert all(parameter["schema"]["type"] == "integer" for parameter in in_path)


def test_the_shape_of_a_job_is_described(description: dict[str, Any]) -> None:
    job = description["components"]["schemas"]["WFEJob"]["properties"]
    assert {"id", "workflow", "state", "current_step", "current_step_number", "storage", "created_at"} <= set(job)
    entry = job["storage"]["properties"]["data"]["items"]
    assert set(entry["properties"]) == {"step", "result", "external_data"}
    assert set(entry["required"]) == {"step", "result"}
    start = description["components"]["schemas"]["WFEStartBody"]
    assert start["required"] == ["workflow_id"]
    assert {"input", "first_input"} <= set(start["properties"])
    assert "input_schema" in description["components"]["schemas"]["WFEWorkflow"]["properties"]


def test_a_start_that_other_input_refuses_describes_the_names_of_the_fields(description: dict[str, Any]) -> None:
    [start] = [
        call["post"]
        for call in description["paths"].values()
        if call.get("post", {}).get("operationId") == "wfe_start_job"
    ]
    assert set(start["responses"]) == {"200", "201", "400", "403", "409", "422", "503"}
    assert start["responses"]["409"]["content"]["application/json"]["schema"]["$ref"].endswith("/WFEOtherInput")
    assert description["components"]["schemas"]["WFEOtherInput"]["properties"]["fields"]["type"] == "array"


def test_a_call_that_a_state_can_refuse_describes_the_states_code(description: dict[str, Any]) -> None:
    assert set(description["components"]["schemas"]["WFEWrongState"]["properties"]) == {"detail", "state"}
    calls = {path.strip("/").rpartition("/")[2]: path for path in description["paths"] if "workflows" not in path}
    for name in ("cancel", "retry", "input", "stop"):
        answer = description["paths"][calls[name]]["post"]["responses"]["409"]
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/WFEWrongState")


def test_no_name_is_one_that_a_project_is_likely_to_have(description: dict[str, Any]) -> None:
    assert all(name.startswith("WFE") for name in description["components"]["schemas"])


def test_a_verb_of_the_project_is_described_by_its_class() -> None:
    pytest.importorskip("drf_spectacular")
    described = json.loads(run_python(WITH_A_VERB))
    [call] = [call["post"] for path, call in described["paths"].items() if path.strip("/").endswith("note")]
    assert (call["operationId"], call["summary"]) == ("wfe_note_job", "Note")
    assert call["description"] == "Note something about a job."
    assert set(call["responses"]) == {"200", "400", "403", "404", "409", "422"}
    body = described["components"]["schemas"]["WFENoteBody"]
    assert body["required"] == ["text"]
    assert body["properties"]["weight"] == {"type": "integer", "minimum": 0, "maximum": 9}


def test_without_drf_spectacular_the_api_works() -> None:
    assert run_python(WITHOUT).split() == ["/wfe/jobs", "False"]
