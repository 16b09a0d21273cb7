"""How much memory a web process takes for the largest and the most hostile bodies that the REST API is sent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from django_wfe.engine.lifecycle import run_workflow
from tests.declared.api_hostile_workflows import AnythingFlow, RowsFlow
from tests.declared.api_workflows import BreakingFlow
from tests.support.doors.api_calls import CALLS, PREFIX, record

pytestmark = [
    pytest.mark.integration,
    pytest.mark.versionless,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak of a process's memory"),
]

MOST_MIB = 200
"""Above what the process takes before."""

UPLOAD = 2_621_440
"""Django's default of ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""


def measure(environment: dict[str, str], paths: list[str], size: int) -> dict[str, float]:
    """Return the MiB above the base that each body took at its peak."""
    User.objects.create_superuser("superuser")
    asked = json.dumps({"paths": paths, "size": size, "user": "superuser"})
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.doors.api_memory", asked]
    settings = json.dumps({"DATA_UPLOAD_MAX_MEMORY_SIZE": max(size, UPLOAD)})
    answer = subprocess.run(
        command,
        env={**environment, "WFE_TEST_SETTINGS": settings},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2_000:]
    peaks: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return peaks


def find_too_much(peaks: dict[str, float]) -> dict[str, float]:
    return {name: peak for name, peak in peaks.items() if peak > MOST_MIB}


@pytest.mark.parametrize("size", [UPLOAD - 1_000, 60_000_000])
def test_no_body_takes_two_hundred_mebibytes(size: int, child_environment: dict[str, str]) -> None:
    rows = run_workflow(workflow_id=record(RowsFlow).pk)
    failed = run_workflow(workflow_id=record(BreakingFlow).pk)
    peaks = measure(child_environment, [f"/wfe/jobs/{rows}/input/", f"/wfe/jobs/{failed}/skip/", "/wfe/bulk/"], size)
    assert find_too_much(peaks) == {}
    if size < UPLOAD:
        assert any(", 422" in name for name in peaks)  # some came as far as the schema


@pytest.mark.survey
def test_no_body_of_any_call_takes_two_hundred_mebibytes(child_environment: dict[str, str]) -> None:
    job = run_workflow(workflow_id=record(AnythingFlow).pk)
    names = dict.fromkeys(("workflow", "held", "step", "job", "paused", "failed", "bulk"), job)
    paths = [PREFIX + call.path.format_map(names) + "/" for call in CALLS if call.method == "POST"]
    assert find_too_much(measure(child_environment, paths, UPLOAD - 1_000)) == {}
