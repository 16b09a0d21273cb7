"""What counts as a difference between a Job that was killed and one that was not."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from django_wfe.testing.convergence import Attempt, Record, find_difference

pytestmark = pytest.mark.unit

STORAGE = [{"step": "shop.Fetch", "result": 1}]


def _record(*attempts: tuple[int, int, str], **changes: Any) -> Record:
    runs = [Attempt(pk, number, attempt, "shop.Fetch", state) for pk, (number, attempt, state) in enumerate(attempts)]
    lost = [run.state for run in runs].count("LOST")
    record = Record(
        state="FINISHED",
        error="",
        storage=STORAGE,
        attempts=runs,
        events=["started", "finished"],
        lost_events=lost,
        retry_events=0,
    )
    return replace(record, **changes)


EXPECTED = _record((0, 1, "FINISHED"), (1, 1, "FINISHED"))


def test_a_step_that_was_lost_once_and_then_finished_is_no_difference() -> None:
    found = _record((0, 1, "FINISHED"), (1, 1, "LOST"), (1, 2, "FINISHED"))
    assert find_difference(EXPECTED, found, Counter({1: 1, 2: 1}), deaths=1) == ""


@pytest.mark.parametrize(
    ("found", "executed", "said"),
    [
        (_record((1, 1, "FINISHED"), state="FAILED", error="why"), {}, "ended FAILED in place of FINISHED. why"),
        (_record((1, 1, "FINISHED"), storage=[]), {}, "its storage differs"),
        (_record((1, 1, "FINISHED"), (2, 1, "READY")), {}, "left READY"),
        (_record((1, 1, "RUNNING")), {}, "left RUNNING"),
        (_record((1, 1, "FINISHED"), (2, 1, "INPUT_REQUIRED")), {}, "still asks for input"),
        (_record((0, 1, "FINISHED"), (1, 1, "FINISHED")), {1: 2}, "executed 2 times in one attempt"),
        (_record((1, 1, "FINISHED"), (1, 2, "FINISHED")), {}, "again after its commit: FINISHED, FINISHED"),
        (_record((1, 1, "FINISHED"), (1, 2, "LOST")), {}, "again after its commit: FINISHED, LOST"),
        (_record((1, 2, "FINISHED")), {}, "lacks an attempt"),
        (_record((1, 1, "LOST"), (1, 2, "LOST"), (1, 3, "FINISHED")), {}, "2 step runs were lost in 1 deaths"),
        (_record((1, 1, "LOST"), (1, 2, "FINISHED"), lost_events=0), {}, "0 events say so"),
        (_record((0, 1, "FINISHED"), (1, 1, "FINISHED"), events=["finished"]), {}, "its events differ"),
        (_record((0, 1, "FINISHED"), (1, 1, "FAILED"), (1, 2, "FINISHED")), {}, "1 failed attempts were tried again"),
        (_record((1, 1, "FINISHED")), {}, "its step runs differ"),
    ],
)
def test_each_broken_promise_is_named(found: Record, executed: dict[int, int], said: str) -> None:
    assert said in find_difference(EXPECTED, found, Counter(executed), deaths=1)


def test_a_comparison_of_the_users_own_decides_about_the_storage() -> None:
    other = replace(EXPECTED, storage=[])
    assert find_difference(EXPECTED, other, Counter(), deaths=1, equal=lambda undisturbed, killed: True) == ""
    assert "storage differs" in find_difference(EXPECTED, EXPECTED, Counter(), deaths=1, equal=lambda a, b: a != b)
