"""Percentiles from buckets, and how far they are off."""

import math
import random
from collections import Counter

import pytest

from django_wfe.engine.statistics.histogram import RELATIVE_ERROR, find_percentile

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_percentile_is_within_the_error_that_is_stated(share: float) -> None:
    dice = random.Random(7)
    durations = sorted(dice.lognormvariate(2, 3) + 0.001 for _ in range(5001))
    buckets = Counter(math.floor(8 * math.log2(seconds)) for seconds in durations)
    exact = durations[math.ceil(share * len(durations)) - 1]
    found = find_percentile(buckets, share)
    assert found is not None
    assert abs(found / exact - 1) <= RELATIVE_ERROR + 1e-9
    assert RELATIVE_ERROR < 0.045


def test_nothing_has_no_percentile() -> None:
    assert find_percentile({}, 0.5) is None
