"""The timeline's view-model and its table."""

import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils import timezone, translation

from django_wfe.definition.graph import START
from django_wfe.models import StepRun, Worker
from django_wfe.rendering.timeline.parts import Timeline
from django_wfe.rendering.timeline.rows import build_timeline
from tests.support.forms.rendering_samples import build_order

pytestmark = pytest.mark.unit
BEGIN = datetime(2026, 6, 15, 9, 0, 0, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else BEGIN + timedelta(seconds=seconds)


def make_run(
    number: int,
    step: str,
    state: str,
    created: float,
    started: float | None = None,
    finished: float | None = None,
    **fields: object,
) -> StepRun:
    run = StepRun(
        id=number * 10 + int(str(fields.get("attempt", 1))),
        number=number,
        step=step,
        state=state,
        created_at=at(created),
        started_at=at(started),
        finished_at=at(finished),
        **{"due_at": at(created), **fields},
    )
    # Each access to a payload would cost a query for each row.
    for name in ("result", "external_data", "edited_input", "traceback"):
        run.__dict__.pop(name)
    return run


def build(*runs: StepRun, now: float = 10_000) -> Timeline:
    return build_timeline(runs, now=BEGIN + timedelta(seconds=now), graph=build_order())


def draw(timeline: Timeline) -> str:
    """Draw the parts of the page's table that are about time."""
    bars = [render_to_string("django_wfe/timeline_bar.html", {"bar": bar}) for bar in timeline.rows]
    around = [
        render_to_string(f"django_wfe/timeline_{part}.html", {"timeline": timeline}) for part in ("totals", "axis")
    ]
    return "".join([*around, *bars])


def test_no_step_runs_are_no_error() -> None:
    timeline = build_timeline([], now=BEGIN)
    assert timeline.rows == ()
    assert not timeline.is_live


def test_waiting_and_working_are_told_apart() -> None:
    timeline = build(make_run(1, "charge", "FINISHED", 0, 30, 100))
    (row,) = timeline.rows
    assert (row.waiting_seconds, row.working_seconds) == (30, 70)
    assert [(segment.kind, segment.x, segment.width) for segment in row.segments] == [
        ("queue", 0, 300),
        ("work", 300, 700),
    ]
    assert (timeline.waiting, timeline.working, timeline.elapsed) == ("30 s", "1 min 10 s", "1 min 40 s")
    assert timeline.now is None


def test_waiting_for_a_person_is_not_waiting_for_a_worker() -> None:
    timeline = build(
        make_run(1, "ask", "FINISHED", 0, 30, 31),
        make_run(2, "ask", "INPUT_REQUIRED", 31),
        make_run(3, "ship", "READY", 31),
    )
    assert [row.segments[0].kind for row in timeline.rows] == ["input", "input", "queue"]


def test_a_running_step_works_until_now() -> None:
    timeline = build(make_run(1, "charge", "RUNNING", 0, 10), now=40)
    (row,) = timeline.rows
    assert row.working_seconds == 30
    assert timeline.is_live
    assert timeline.now is not None
    assert timeline.now.x == 1000
    assert row.finished is None


def test_a_waiting_step_waits_until_now_and_the_wait_is_folded() -> None:
    timeline = build(make_run(1, "charge", "FINISHED", 0, 0, 60), make_run(2, "ask", "INPUT_REQUIRED", 60), now=86_460)
    assert timeline.rows[1].waiting == "1 d"
    assert timeline.rows[1].work == ""
    (fold,) = timeline.breaks
    assert fold.words == "1 d"
    assert fold.x + fold.width == pytest.approx(1000)
    assert timeline.rows[0].segments[-1].width > 800


def test_idle_time_can_be_shown_to_scale() -> None:
    runs = [make_run(1, "charge", "FINISHED", 0, 0, 60), make_run(2, "charge", "FINISHED", 540, 540, 600)]
    assert [fold.words for fold in build(*runs).breaks] == ["8 min"]
    timeline = build_timeline(runs, now=BEGIN + timedelta(seconds=600), graph=build_order(), folds_idle=False)
    assert timeline.breaks == ()
    assert [row.segments[0].x for row in timeline.rows] == [0, 900]


def test_the_key_shows_the_kinds_of_waiting_that_there_are() -> None:
    ask, ship = make_run(2, "ask", "INPUT_REQUIRED", 31), make_run(3, "ship", "READY", 31)
    assert build(ask, ship).waits == ["input", "queue"]
    assert build(ask).waits == ["input"]
    assert build(make_run(1, "charge", "FINISHED", 0, 0, 1)).waits == ["queue"]
    assert draw(build(ask)).count('class="wfe-timeline__key"') == 2


def test_clocks_that_disagree_give_no_negative_bars() -> None:
    timeline = build(make_run(1, "charge", "FINISHED", 10, 5, 1), make_run(2, "ship", "RUNNING", 50, 60), now=20)
    for row in timeline.rows:
        assert row.waiting_seconds >= 0
        assert row.working_seconds >= 0
        for segment in row.segments:
            assert segment.width >= 0
            assert 0 <= segment.x <= 1000
    draw(timeline)


def test_a_step_without_duration_can_be_seen() -> None:
    timeline = build(make_run(0, START, "FINISHED", 0, 0, 0))
    assert timeline.rows[0].segments[0].width > 0
    assert timeline.elapsed == "0 s"
    draw(timeline)


@pytest.mark.parametrize("state", ["CANCELED", "SKIPPED", "LOST", "FAILED"])
def test_a_run_that_ended_without_times_does_not_reach_to_now(state: str) -> None:
    timeline = build(make_run(1, "charge", state, 0, None, None), make_run(2, "ship", "RUNNING", 5, 6), now=100)
    assert timeline.rows[0].waiting_seconds == 0
    assert timeline.rows[0].work == ""


def test_of_a_lost_run_nobody_knows_how_long_it_worked() -> None:
    timeline = build(
        make_run(1, "charge", "LOST", 0, 1, 46), make_run(1, "charge", "FINISHED", 46, 47, 50, attempt=2), now=100
    )
    assert timeline.rows[0].work == "lost after at most 45 s"
    assert timeline.rows[1].work == "worked 3 s"
    assert "worked 45 s" not in draw(timeline)
    assert timeline.working == "3 s"


def test_a_retry_to_come_tells_when_it_is_due() -> None:
    timeline = build(
        make_run(1, "charge", "FAILED", 0, 1, 2), make_run(1, "charge", "READY", 2, attempt=2, due_at=at(70)), now=10
    )
    retry = timeline.rows[1]
    assert retry.due is not None
    assert retry.due.words == "in 1 min"
    assert retry.look.name == "retrying"
    html = draw(timeline)
    assert "due in 1 min" in html
    assert "attempt 2" in html


def test_labels_come_from_the_graph_and_else_from_the_path() -> None:
    timeline = build(
        make_run(1, "charge", "FINISHED", 0, 1, 2), make_run(2, "shop.flows.SendLetter", "FINISHED", 2, 3, 4)
    )
    assert [row.label for row in timeline.rows] == ["Charge card", "Send letter"]


def test_the_bar_tells_state_times_durations_and_worker() -> None:
    run = make_run(1, "charge", "FAILED", 0, 5, 65)
    run.worker = Worker(id=uuid.uuid4(), hostname="web", pid=1)
    with timezone.override(ZoneInfo("Europe/Berlin")):
        details = build(run).rows[0].details
    assert details.startswith("Charge card: failed, started June 15, 2026, 11:00:05 CEST, ended June 15, 2026, 11:01")
    assert details.endswith("waited 5 s, worked 1 min, worker web:1")


def test_the_table_says_everything_in_words() -> None:
    timeline = build_timeline(
        [make_run(1, "charge", "FINISHED", 0, 30, 100), make_run(2, "ship", "FAILED", 100, 101, 102, superseded=True)],
        now=BEGIN + timedelta(hours=3),
        graph=build_order(),
    )
    html = draw(timeline)
    assert "Charge card: done, started June 15, 2026, 09:00:30 UTC" in html
    assert ": failed, started" in html
    assert "3 h ago" in html
    assert "June 15, 2026, 09:00:00 UTC</span>" in html


def test_the_table_keeps_a_strict_content_security_policy() -> None:
    html = draw(build(make_run(1, "ask", "INPUT_REQUIRED", 0)))
    assert not re.search(r"\s(style|on\w+)=", html)
    assert "<script" not in html


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ x }} %s"])
def test_what_a_developer_wrote_is_only_text(label: str) -> None:
    html = draw(build(make_run(1, label, "FINISHED", 0, 1, 2)))
    assert "<script" not in html
    assert "<img" not in html


def test_geometry_is_the_same_in_every_language() -> None:
    runs = [make_run(1, "charge", "FINISHED", 0, 33.3, 99.9)]
    with override_settings(USE_THOUSAND_SEPARATOR=True), translation.override("de"):
        german = re.findall(r'<rect [^>]*x="[^"]+"[^>]*>', draw(build(*runs)))
    assert german == re.findall(r'<rect [^>]*x="[^"]+"[^>]*>', draw(build(*runs)))
    assert any('x="33.33%"' in rect for rect in german)


def test_a_thousand_rows_are_built_fast() -> None:
    runs = [make_run(index, "charge", "FINISHED", index, index + 0.2, index + 0.9) for index in range(1000)]
    begin = time.perf_counter()
    timeline = build(*runs)
    # About 0.03 s on a laptop: the limit only catches what grows with the square.
    assert time.perf_counter() - begin < 2
    assert len(timeline.rows) == 1000


def test_a_paused_jobs_step_shows_as_paused() -> None:
    run = make_run(1, "charge", "READY", 0)
    timeline = build_timeline([run], now=BEGIN + timedelta(seconds=5), job_state="PAUSED")
    assert timeline.rows[0].look.name == "paused"


def test_began_after_counts_from_the_jobs_start_in_any_part_of_its_history() -> None:
    runs = [make_run(500, "ask", "FINISHED", 3600, 3601, 3602), make_run(501, "check", "READY", 3602)]
    now = BEGIN + timedelta(seconds=3700)
    assert [row.created.words for row in build_timeline(runs, now=now).rows] == ["+0 s", "+2 s"]
    timeline = build_timeline(runs, now=now, origin=BEGIN)
    assert [row.created.words for row in timeline.rows] == ["+1 h", "+1 h"]
    assert timeline.began is not None
    assert timeline.began.when == BEGIN + timedelta(seconds=3600)


def test_the_label_of_a_fold_at_the_end_does_not_leave_the_axis() -> None:
    waits = make_run(1, "ask", "INPUT_REQUIRED", 60)
    [fold] = build(make_run(0, START, "FINISHED", 0, 0, 59), waits, now=90_000).breaks
    assert fold.is_at_end
    assert 'class="wfe-axis__label wfe-axis__label--break wfe-axis__label--end" x="100%"' in draw(
        build(make_run(0, START, "FINISHED", 0, 0, 59), waits, now=90_000)
    )
    [fold] = build(make_run(0, START, "FINISHED", 0, 0, 59), make_run(1, "ask", "FINISHED", 60, 90_000, 90_059)).breaks
    assert not fold.is_at_end
