"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of rounds, jobs and samples. The defaults are those of a full run."""

    rounds: int = 20
    """In-process: how often each contender has its turn."""
    jobs: dict[int, int] = field(default_factory=lambda: {3: 20, 10: 10, 50: 2, 1000: 1})
    """In-process: the jobs of one turn, by the number of their steps."""
    thousand_rounds: int = 5
    start_rounds: int = 10
    """In-process: how often a start without data and one with data take turns, in each turn of the contenders."""
    starts: int = 10
    floor_steps: int = 200
    broker_rounds: int = 7
    broker_jobs: dict[int, int] = field(default_factory=lambda: {3: 1000, 10: 400})
    latency_samples: int = 100
    latency_pause: float = 0.03
    """Seconds in which the system is idle before each sample."""
    loops: int = 15
    finished_jobs: int = 1_000_000
    live_jobs: int = 10_000
    growth_rounds: int = 20
    growth_jobs: int = 15
    sweeps: int = 30


QUICK = Counts(
    rounds=3,
    jobs={3: 5, 10: 3, 50: 1, 1000: 1},
    thousand_rounds=1,
    start_rounds=2,
    starts=3,
    floor_steps=50,
    broker_rounds=2,
    broker_jobs={3: 100, 10: 40},
    latency_samples=10,
    loops=2,
    finished_jobs=20_000,
    live_jobs=1_000,
    growth_rounds=3,
    growth_jobs=5,
    sweeps=5,
)
