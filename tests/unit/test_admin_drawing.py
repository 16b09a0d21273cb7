"""Moments as the console's pages draw them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from django_wfe.admin.elements.drawing import NOTHING, draw_time

pytestmark = pytest.mark.unit

NOW = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(days=-2, hours=-3), "2 d ago"),
        (timedelta(hours=-1, minutes=-59), "1 h ago"),
        (timedelta(minutes=-3, seconds=-59), "3 min ago"),
        (timedelta(seconds=-9.9), "9 s ago"),
        (timedelta(), "now"),
        (timedelta(seconds=9.9), "in 9 s"),
        (timedelta(minutes=9, seconds=51), "in 9 min"),
        (timedelta(hours=2, seconds=-1), "in 1 h 59 min"),
        (timedelta(days=2, seconds=-20), "in 1 d 23 h"),
    ],
)
def test_a_distance_is_short_and_one_ahead_tells_enough_to_keep_it(distance: timedelta, words: str) -> None:
    drawn = draw_time(NOW + distance, NOW)
    assert re.findall(r">(.*)</time>", drawn) == [words]
    assert (NOW + distance).isoformat() in drawn


def test_no_moment_is_a_dash() -> None:
    assert draw_time(None) == NOTHING
