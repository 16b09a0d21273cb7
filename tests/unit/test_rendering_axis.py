"""The time axis: folding of idle stretches, and ticks at round local times."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from django_wfe.rendering.timeline.axis import AXIS_LENGTH, Axis, build_axis, build_ticks

pytestmark = pytest.mark.unit
DAY = datetime(2026, 6, 15, tzinfo=UTC).timestamp()


def test_a_busy_stretch_is_to_scale() -> None:
    axis = build_axis(0, 100, [(0, 100)])
    assert axis.folds == ()
    assert [axis.place(when) for when in (0, 25, 100)] == [0, 250, 1000]


def test_times_outside_go_to_the_ends() -> None:
    axis = build_axis(0, 100, [])
    assert axis.place(-5) == 0
    assert axis.place(500) == AXIS_LENGTH


def test_a_long_idle_stretch_is_folded() -> None:
    axis = build_axis(0, 10_000, [(0, 50), (9_950, 10_000)])
    assert axis.folds == ((50, 9_950),)
    assert axis.place(50) == pytest.approx((AXIS_LENGTH - axis.fold_length) / 2)
    assert axis.place(9_950) - axis.place(50) == pytest.approx(axis.fold_length)
    assert axis.place(10_000) == pytest.approx(AXIS_LENGTH)


def test_places_only_grow() -> None:
    axis = build_axis(0, 10_000, [(0, 50), (4_000, 4_100), (9_950, 10_000)])
    places = [axis.place(when) for when in range(0, 10_001, 10)]
    assert places == sorted(places)
    assert len(axis.folds) == 2


def test_a_minute_of_idling_is_not_folded_nor_is_a_small_share() -> None:
    assert build_axis(0, 70, [(0, 5), (65, 70)]).folds == ()
    assert build_axis(0, 1_000, [(0, 450), (600, 1_000)]).folds == ()


def test_folding_one_stretch_shows_the_next() -> None:
    # 300 s are 0.3 % of the whole, and most of what is left once the day is folded.
    axis = build_axis(0, 86_400 + 400, [(0, 50), (350, 400)])
    assert axis.folds == ((50, 350), (400, 86_800))


def test_a_job_that_only_waits_is_to_scale() -> None:
    axis = build_axis(0, 7_200, [(0, 0)])
    assert axis.folds == ()
    assert axis.place(7_200) == AXIS_LENGTH


def test_overlapping_work_is_one_busy_stretch() -> None:
    assert build_axis(0, 500, [(0, 400), (100, 200), (350, 500)]).folds == ()


def test_many_folds_leave_half_of_the_axis() -> None:
    busy = [(index * 10**index, index * 10**index + 1) for index in range(1, 12)]
    axis = build_axis(0, busy[-1][1], busy)
    assert len(axis.folds) > 4
    assert axis.fold_length * len(axis.folds) <= AXIS_LENGTH / 2
    assert axis.place(axis.end) == pytest.approx(AXIS_LENGTH)


@pytest.mark.parametrize("seconds", [0.004, 0.7, 3, 50, 400, 5_000, 40_000, 300_000, 3e6, 4e7])
def test_there_are_a_few_ticks_whatever_the_length(seconds: float) -> None:
    start = DAY + 12_345.678
    ticks = build_ticks(Axis(start, start + seconds, ()))
    assert 2 <= len(ticks) <= 8
    assert len({(tick.label, tick.when.date()) for tick in ticks}) == len(ticks)
    assert all(0 <= tick.x <= AXIS_LENGTH for tick in ticks)


def test_nothing_to_scale_has_no_ticks_that_fail() -> None:
    assert len(build_ticks(Axis(DAY, DAY, ()))) <= 1


def test_ticks_fall_on_round_local_times() -> None:
    with timezone.override(ZoneInfo("Asia/Kathmandu")):  # 5:45 ahead of UTC
        ticks = build_ticks(Axis(DAY, DAY + 6 * 3600, ()))
    assert all(tick.when.minute == 0 for tick in ticks)
    assert ticks[0].label == "06:00"


def test_days_begin_at_local_midnight_over_a_change_of_the_clock() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 27, 12, tzinfo=zone).timestamp()
    with timezone.override(zone):
        ticks = build_ticks(Axis(start, start + 5 * 86_400, ()))
    assert {tick.when.hour for tick in ticks} == {0}


def test_a_new_day_is_named() -> None:
    start = datetime(2026, 6, 15, 22, tzinfo=UTC).timestamp()
    labels = [tick.label for tick in build_ticks(Axis(start, start + 5 * 3600, ()))]
    assert "16 Jun" in labels
    assert "23:00" in labels


def test_a_limit_keeps_labels_from_what_stands_there() -> None:
    ticks = build_ticks(Axis(DAY, DAY + 3600, ()), limit=500)
    assert ticks
    assert all(tick.x < 500 for tick in ticks)
