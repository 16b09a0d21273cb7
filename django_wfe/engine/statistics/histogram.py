"""Durations on a logarithmic scale: percentiles do not add up, and counts by bucket do."""

from __future__ import annotations

from collections.abc import Mapping

from django_wfe.engine.statistics.facts import BUCKETS_A_DOUBLING

RELATIVE_ERROR = 2 ** (0.5 / BUCKETS_A_DOUBLING) - 1
"""How far a percentile may be off: 0.044."""


def find_percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """Return the seconds that a share of all stays under, from the middle of its bucket; None if there is none.

    Args:
        buckets: how many are in each bucket.
        share: between 0 and 1.
    """
    total = sum(buckets.values())
    passed = 0
    for bucket in sorted(buckets):
        passed += buckets[bucket]
        if passed >= share * total:
            return float(2 ** ((bucket + 0.5) / BUCKETS_A_DOUBLING))
    return None
