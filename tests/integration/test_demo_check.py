"""The check of the demo: people use the whole installation through HTTP, and every Job comes to its end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demo.demo_helpers import ROOT
from tests.support.demo.demo_runs import make_environment
from tests.support.demo.scenarios import SCENARIOS

pytestmark = [pytest.mark.integration, pytest.mark.versionless]


def test_every_sample_workflow_finishes_through_the_console(tmp_path: Path) -> None:
    # In another folder than the project's.
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.demo.check"],
        cwd=tmp_path,
        env=make_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [line for line in result.stdout.splitlines() if "FINISHED in" in line]
    assert len(lines) == len(SCENARIOS)
    assert {line.partition(" #")[0] for line in lines} == {"File intake", "Purchase approval", "Flaky delivery"}
    assert re.search(r"AskForFile \d\S* \w+ > ValidateFile", lines[0])
    assert f"{len(SCENARIOS)} jobs are finished" in result.stdout
    assert list(tmp_path.iterdir()) == []
