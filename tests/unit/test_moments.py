"""Times counted with, with and without time zones."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from django_wfe.values.moments import add_seconds, build_moment, count_seconds, localize, read_seconds

pytestmark = pytest.mark.unit

FIRST = datetime(2025, 10, 26, 2, 30)
SECOND = datetime(2025, 10, 26, 2, 30, fold=1)
BEGINNING = 1761436800  # 2025-10-26 02:00 in Berlin, the first time


@pytest.fixture
def berlin(settings: Any) -> None:
    """A project that keeps the local times of Berlin."""
    settings.USE_TZ = False
    settings.TIME_ZONE = "Europe/Berlin"


@pytest.mark.usefixtures("berlin")
def test_the_two_hours_of_one_name_are_an_hour_apart() -> None:
    assert count_seconds(FIRST, SECOND) == 3600
    assert count_seconds(SECOND, FIRST) == -3600
    assert sorted([SECOND, FIRST], key=read_seconds) == [FIRST, SECOND]


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("minutes", range(0, 180, 15))
def test_an_instant_comes_back_from_its_local_time(minutes: int) -> None:
    moment = build_moment((BEGINNING + minutes * 60) * 1_000_000 + 123_456)
    assert moment.tzinfo is None
    assert read_seconds(moment) == BEGINNING + minutes * 60 + 0.123456
    assert count_seconds(add_seconds(moment, -3600), moment) == 3600


@pytest.mark.usefixtures("berlin")
def test_adding_goes_over_the_hour_that_spring_leaves_out() -> None:
    assert add_seconds(datetime(2026, 3, 29, 1, 59, 59), 2) == datetime(2026, 3, 29, 3, 0, 1)
    assert count_seconds(datetime(2026, 3, 29, 1, 59, 59), datetime(2026, 3, 29, 3, 0, 1)) == 2


@pytest.mark.usefixtures("berlin")
def test_a_local_time_and_one_with_an_offset_can_be_compared() -> None:
    assert count_seconds(FIRST, datetime(2025, 10, 26, 0, 30, tzinfo=UTC)) == 0
    assert localize(FIRST) == FIRST


@pytest.mark.usefixtures("berlin")
def test_what_would_come_after_the_last_year_overflows() -> None:
    with pytest.raises(OverflowError):
        add_seconds(FIRST, 1e12)


def test_with_time_zones_instants_are_what_is_counted() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moment = build_moment(BEGINNING * 1_000_000)
    assert moment == datetime(2025, 10, 26, 0, 0, tzinfo=UTC)
    assert count_seconds(moment, SECOND.replace(tzinfo=UTC)) == 9000
    assert add_seconds(moment, 60) == datetime(2025, 10, 26, 0, 1, tzinfo=UTC)
    assert localize(moment.astimezone(berlin)).utcoffset() == moment.utcoffset()
