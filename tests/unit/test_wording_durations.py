"""Durations in words."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from django_wfe.wording.durations import describe_distance, describe_duration

pytestmark = pytest.mark.unit
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (0.0001, "0 s"),
        (0.0007, "1 ms"),
        (0.04, "40 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.1 s"),
        (0.4, "0.4 s"),
        (2, "2 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (42.4, "42 s"),
        (59.7, "1 min"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3599.6, "1 h"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86_399, "1 d"),
        (86_400, "1 d"),
        (273_600, "3 d 4 h"),
        (100 * 86_400 + 7200, "100 d"),
    ],
)
def test_a_duration_is_told_in_its_one_or_two_largest_units(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words


def test_decimals_follow_the_language() -> None:
    with translation.override("de"):
        assert describe_duration(0.4).startswith("0,4")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "now"), (-0.2, "now"), (125, "2 min 5 s ago"), (-273_600, "in 3 d 4 h")]
)
def test_a_distance_tells_past_and_future(seconds: float, words: str) -> None:
    assert describe_distance(NOW - timedelta(seconds=seconds), NOW) == words
