"""The UUIDs of jobs."""

import time
import uuid

import pytest

from django_wfe.values.identifiers import make_uuid

pytestmark = pytest.mark.unit


def test_they_are_of_version_7_and_hold_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = make_uuid()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_those_of_a_later_millisecond_come_later_in_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1_800_000_000_000_000_000, 1_800_000_000_100_000_000, 1_000_000))
    monkeypatch.setattr("django_wfe.values.identifiers.time.time_ns", lambda: next(moments))
    made = [make_uuid() for _ in range(100)]
    assert made == sorted(made)


def test_no_two_of_one_millisecond_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_wfe.values.identifiers.time.time_ns", lambda: 1_800_000_000_000_000_000)
    made = {make_uuid() for _ in range(10_000)}
    assert len(made) == 10_000
    assert len({number.int >> 64 & 0xFFF for number in made}) > 3_000, "all 12 bits beside the version are random"
