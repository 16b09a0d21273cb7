"""What pairs of measurements say: a ratio, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import mean, median, quantiles, stdev

ENOUGH = 0.005
"""The standard error at which a ratio is told without a warning."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What both sides took in one round, in one unit."""

    this: float
    reference: float

    @property
    def ratio(self) -> float:
        """This side's to the other's."""
        return self.this / self.reference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides' medians, the median of the paired ratios, their middle half, and the ratio's standard error."""

    this: float
    reference: float
    ratio: float
    error: float
    lower: float
    upper: float


def compare(lots: list[list[Pair]]) -> Comparison:
    """Return what the pairs say. Each lot holds the pairs of one set of processes; at least two of two pairs each.

    Two processes of the same code differ by where their memory lies, for as long as they live. So the error cannot be
    told from the pairs of one lot, however many they are: it is told from how far the lots' medians lie apart.
    """
    pairs = [pair for lot in lots for pair in lot]
    ratios = [pair.ratio for pair in pairs]
    medians = [median(pair.ratio for pair in lot) for lot in lots]
    lower, _, upper = quantiles(ratios, n=4, method="inclusive")
    return Comparison(
        this=median(pair.this for pair in pairs),
        reference=median(pair.reference for pair in pairs),
        ratio=mean(medians),
        error=stdev(medians) / sqrt(len(medians)),
        lower=lower,
        upper=upper,
    )
