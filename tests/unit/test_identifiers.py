"""The ids of rows, and the UUIDs of jobs."""

import time
import uuid

import pytest

from django_wfe.values.identifiers import LARGEST_ID, make_uuid, parse_id

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


@pytest.mark.parametrize("given", ["7", 7, "007", LARGEST_ID, str(LARGEST_ID)])
def test_an_id_is_read_from_a_text_and_from_a_number(given: object) -> None:
    assert parse_id(given) == int(str(given))


@pytest.mark.parametrize(
    "given",
    [
        *("", " 7", "7 ", "-1", "+7", "7.0", "1e3", "1_000", "1,236", "0", "\u0667", "\u00b2", "x", "9" * 5_000),
        *(0, -1, None, 1.0, LARGEST_ID + 1, str(LARGEST_ID + 1), 10**5_000, -(10**5_000)),
    ],
    ids=lambda given: ascii(given)[:20] if not isinstance(given, int) or abs(given) < 10**20 else "a very long number",
)
def test_what_no_row_can_have_is_no_id(given: object) -> None:
    assert parse_id(given) is None
