"""The retry policy."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_wfe.retry import Retry

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", -1),
        ("max_attempts", True),
        ("max_attempts", "3"),
        ("max_attempts", 2.5),
        ("max_attempts", None),
        ("backoff", -0.1),
        ("backoff", "1"),
        ("backoff", float("nan")),
        ("factor", 0.5),
        ("factor", float("nan")),
        ("max_backoff", -1),
        ("max_backoff", float("nan")),
        ("jitter", -0.1),
        ("jitter", 1.1),
        ("jitter", False),
        ("jitter", float("nan")),
        ("max_backoff", float("inf")),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"Retry\({name}={value!r}\): give a"):
        Retry(**{name: value})


@pytest.mark.parametrize("name", ["on", "give_up_on"])
@pytest.mark.parametrize("value", [5, "ValueError", ValueError("x"), (ValueError, int), [ValueError]])
def test_what_is_no_exception_class_is_refused(name, value):
    with pytest.raises(TypeError, match=rf"Retry\({name}=...\): .* is not an exception class"):
        Retry(**{name: value})


def test_the_limits_themselves_are_allowed():
    policy = Retry(max_attempts=1, backoff=0, factor=1, max_backoff=0, jitter=1, on=(), give_up_on=())
    assert not policy.allows(ValueError(), 1)
    assert policy.seconds_before(2) == 0


def test_arguments_are_given_by_name():
    with pytest.raises(TypeError):
        Retry(3)


def test_the_wait_grows_by_the_factor_up_to_the_longest():
    policy = Retry(max_attempts=9, backoff=2, factor=3, max_backoff=50, jitter=0)
    assert [policy.seconds_before(attempt) for attempt in (2, 3, 4, 5, 6)] == [2, 6, 18, 50, 50]


def test_a_wait_beyond_all_floats_is_the_longest():
    assert Retry(max_attempts=10**6, backoff=1.0, factor=10.0, jitter=0).seconds_before(10**5) == 300
    assert Retry(max_attempts=10**6, backoff=1, factor=2, jitter=0).seconds_before(5000) == 300


@given(
    attempt=st.integers(2, 40),
    jitter=st.floats(0, 1),
    backoff=st.floats(0, 1000),
    longest=st.floats(0, 1000),
)
def test_jitter_stays_within_its_share_of_the_wait(attempt, jitter, backoff, longest):
    wait = min(backoff * 2.0 ** (attempt - 2), longest)
    policy = Retry(max_attempts=50, backoff=backoff, max_backoff=longest, jitter=jitter)
    given_wait = policy.seconds_before(attempt)
    assert wait * (1 - jitter) * 0.999999 <= given_wait <= wait * (1 + jitter) * 1.000001
    assert given_wait >= 0


def test_jitter_spreads_jobs_to_both_sides():
    waits = [Retry(backoff=100, jitter=0.5).seconds_before(2) for _ in range(200)]
    assert min(waits) < 80
    assert max(waits) > 120
    assert 90 < statistics.mean(waits) < 110


def test_attempts_are_counted_from_one_the_first_included():
    policy = Retry(max_attempts=3)
    assert [policy.allows(ValueError(), attempt) for attempt in (1, 2, 3, 4)] == [True, True, False, False]
    assert not Retry(max_attempts=1).allows(ValueError(), 1)


def test_only_what_on_names_is_tried_again():
    policy = Retry(on=(ConnectionError, TimeoutError))
    assert policy.allows(ConnectionResetError(), 1)
    assert policy.allows(TimeoutError(), 1)
    assert not policy.allows(ValueError(), 1)
    assert Retry(on=OSError).allows(ConnectionError(), 1)


def test_give_up_on_comes_before_on():
    policy = Retry(on=OSError, give_up_on=FileNotFoundError)
    assert policy.allows(PermissionError(), 1)
    assert not policy.allows(FileNotFoundError(), 1)


def test_leaving_the_process_is_not_tried_again_unless_named():
    assert not Retry().allows(SystemExit(), 1)
    assert Retry(on=SystemExit).allows(SystemExit(), 1)
