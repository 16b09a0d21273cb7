"""A storm of a minute over each broker. ``make chaos`` runs one of five; see ``docs/chaos.md``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.storm.faults import FREQUENCIES, plan_faults
from tests.chaos.storm.servers import RABBITMQ_PROGRAMS, find_rabbitmq

pytestmark = pytest.mark.chaos

SEED = 4


@pytest.mark.storm
@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
def test_a_minute_of_faults_breaks_no_promise(broker: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    if broker == "rabbitmq" and find_rabbitmq() is None:
        pytest.skip(f"a RabbitMQ that can be killed is needed, and there is none at {RABBITMQ_PROGRAMS}")
    written = tmp_path / "report.json"
    size = ["--minutes", "1", "--jobs", "300", "--masters", "2", "--seed", str(SEED)]
    storm = subprocess.run(
        [sys.executable, "-m", "tests.chaos.storm", "--broker", broker, *size, "--json", str(written)],
        cwd=pytestconfig.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
    )
    assert storm.returncode == 0, storm.stdout
    report = json.loads(written.read_text())
    assert report["good"]
    assert not any(report["violations"].values())
    # That nothing is broken shows something only where there was work, and where harm was done to it.
    assert report["figures"]["jobs_finished"] == 300
    assert report["figures"]["step_executions"] > 1000
    assert report["figures"]["interrupted_steps_run_again"] > 0


def test_a_seed_stands_for_one_schedule_in_which_every_kind_of_fault_is() -> None:
    schedule = plan_faults(SEED, 60, worker_timeout=10)
    assert [str(fault) for fault in plan_faults(SEED, 60, worker_timeout=10)] == [str(fault) for fault in schedule]
    assert {fault.kind for fault in schedule} == {*FREQUENCIES, "empty-broker"}
    assert schedule[-1].kind == "kill-master", "the calm begins with work to recover"
    assert all(fault.seconds > 10 for fault in schedule if fault.kind == "freeze-worker")


def test_a_storm_too_short_for_every_kind_of_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="no room for 8 faults"):
        plan_faults(SEED, 20, worker_timeout=10)
