"""A Job's step runs, put on its graph."""

import pytest

from django_wfe.definition.graph import START
from django_wfe.rendering.diagram.overlay import JobOverlay, NodeCounts, build_job_overlay, describe_counts
from django_wfe.states import JobState, StepRunState
from django_wfe.wording import states
from tests.support.forms.rendering_samples import JobStub, Run, build_order

pytestmark = pytest.mark.unit


def put(*runs: Run, state: str = "ONGOING", at: str = "") -> JobOverlay:
    return build_job_overlay(build_order(), [Run(0, START, transition=0), *runs], job=JobStub(state, at))


def test_nodes_the_job_never_came_to_are_not_reached() -> None:
    node = put().get_node("ship")
    assert node.look is states.UNREACHED
    assert node.describe() == "not reached"


def test_the_latest_attempt_tells_a_nodes_state() -> None:
    overlay = put(Run(1, "ask", "FINISHED", attempt=2), Run(1, "ask", "FAILED", attempt=1))
    assert overlay.get_node("ask").look is states.DONE
    assert overlay.get_node("ask").visits == 1
    assert overlay.get_node("ask").describe() == "done, attempt 2"


def test_visits_on_a_loop_are_counted_by_number_not_by_attempt() -> None:
    overlay = put(
        Run(1, "ask", transition=0),
        Run(2, "check", transition=1),
        Run(3, "ask", "LOST"),
        Run(3, "ask", attempt=2, transition=0),
        Run(4, "check", transition=1),
        Run(5, "ask", "FAILED"),
        state="FAILED",
        at="ask",
    )
    assert overlay.get_node("ask").visits == 3
    assert overlay.get_node("ask").describe() == "failed, the job is here, 3 visits"
    assert overlay.taken[("check", 1)] == 2
    assert overlay.taken[("ask", 0)] == 2
    assert ("check", 0) not in overlay.taken


def test_only_runs_with_a_result_take_an_edge() -> None:
    overlay = put(Run(1, "ask", "CANCELED", transition=0))
    assert ("ask", 0) not in overlay.taken


def test_a_skipped_step_takes_its_edge_and_shows_as_skipped() -> None:
    overlay = put(Run(1, "ask", "SKIPPED", transition=0))
    assert overlay.taken[("ask", 0)] == 1
    assert overlay.get_node("ask").look is states.SKIPPED


def test_the_only_edge_needs_no_recorded_index_and_a_choice_does() -> None:
    overlay = put(Run(1, "ask", transition=None), Run(2, "check", transition=None))
    assert overlay.taken[("ask", 0)] == 1
    assert not any(source == "check" for source, _index in overlay.taken)


def test_the_end_is_reached_after_the_last_node() -> None:
    assert put(Run(4, "ship")).taken[("ship", -1)] == 1
    assert ("ship", -1) not in put(Run(4, "ship", "RUNNING")).taken


def test_superseded_runs_count_for_nothing() -> None:
    overlay = put(
        Run(1, "ask", transition=0), Run(2, "check", transition=0, superseded=True), Run(3, "charge", superseded=True)
    )
    assert overlay.get_node("charge").look is states.UNREACHED
    assert "ran before" in overlay.get_node("charge").describe()
    assert ("check", 0) not in overlay.taken


def test_a_retry_to_come_and_a_paused_job_look_different_from_ready() -> None:
    assert put(Run(1, "ask", "READY")).get_node("ask").look is states.QUEUED
    assert put(Run(1, "ask", "READY", attempt=2)).get_node("ask").look is states.RETRYING
    assert put(Run(1, "ask", "READY", attempt=2), state="PAUSED").get_node("ask").look is states.PAUSED
    assert put(Run(1, "ask", "INPUT_REQUIRED"), state="PAUSED").get_node("ask").look is states.PAUSED
    assert put(Run(1, "ask", "RUNNING"), state="PAUSED").get_node("ask").look is states.RUNNING


@pytest.mark.parametrize(
    ("state", "is_here"),
    [("ONGOING", True), ("FAILED", True), ("PAUSED", True), ("FINISHED", False), ("CANCELED", False)],
)
def test_the_job_is_at_its_node_until_it_ends_well_or_is_canceled(state: str, is_here: bool) -> None:
    assert put(Run(1, "ask", "FINISHED"), state=state, at="ask").get_node("ask").is_current is is_here


def test_step_runs_of_nodes_that_are_not_in_the_graph_harm_nothing() -> None:
    put(Run(1, "gone.away", "FAILED"), Run(2, "gone.too", transition=5))


def test_every_state_has_a_look_of_its_own() -> None:
    looks = [states.get_step_run_look(state) for state in StepRunState]
    assert len({look.icon for look in looks}) == len(looks)
    assert len({look.name for look in looks}) == len(looks)
    assert all(states.get_job_look(state).icon for state in JobState)


def test_counts_are_told_in_words() -> None:
    assert describe_counts(NodeCounts()) == ""
    assert describe_counts(NodeCounts(running=2, failed=1)) == "2 running, 1 failed"
    assert describe_counts(NodeCounts(waiting=3)) == "3 waiting for input"
    assert describe_counts(NodeCounts(retrying=1, paused=2)) == "1 waiting to try again, 2 paused"
