"""When a failed step is tried again by itself."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

__all__ = ["Retry"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """The retry policy of a Step, given as its ``retry`` attribute.

    The wait before attempt ``n + 1`` is ``backoff * factor ** (n - 1)`` seconds, at most ``max_backoff``, and then up
    to ``jitter`` of itself shorter or longer, so that jobs that failed together do not come back together.

    Args:
        max_attempts: How often the step may be tried in all, the first time included. Default 3.
        backoff: Seconds before the second attempt. Default 1.
        factor: What each further wait is multiplied by. Default 2.
        max_backoff: The longest wait in seconds. Default 300.
        jitter: Share of the wait that is left to chance, 0 to 1. Default 0.1.
        on: Exceptions that are tried again. Default: every Exception.
        give_up_on: Exceptions that are not, although ``on`` names them. Default: none.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if ``on`` or ``give_up_on`` names something that is not an exception class.
    """

    max_attempts: int = 3
    backoff: float = 1.0
    factor: float = 2.0
    max_backoff: float = 300.0
    jitter: float = 0.1
    on: type[BaseException] | tuple[type[BaseException], ...] = (Exception,)
    give_up_on: type[BaseException] | tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("max_attempts", 1), ("backoff", 0), ("factor", 1), ("max_backoff", 0), ("jitter", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < math.inf:
                raise ValueError(f"Retry({name}={value!r}): give a number of at least {least}.")
        if not isinstance(self.max_attempts, int):
            raise ValueError(f"Retry(max_attempts={self.max_attempts!r}): give a whole number.")
        if self.jitter > 1:
            raise ValueError(f"Retry(jitter={self.jitter!r}): give a share from 0 to 1.")
        for name in ("on", "give_up_on"):
            classes = getattr(self, name)
            for exception in classes if isinstance(classes, tuple) else (classes,):
                if not (isinstance(exception, type) and issubclass(exception, BaseException)):
                    raise TypeError(f"Retry({name}=...): {exception!r} is not an exception class.")

    def allows(self, error: BaseException, attempt: int) -> bool:
        """Return whether another attempt may follow attempt number ``attempt`` (from 1) that raised ``error``."""
        # By its type: isinstance() would ask the exception too, which may say or raise anything.
        kind = type(error)
        return attempt < self.max_attempts and not issubclass(kind, self.give_up_on) and issubclass(kind, self.on)

    def seconds_before(self, next_attempt: int) -> float:
        """Return the wait in seconds before attempt number ``next_attempt`` (2 or more), jitter included."""
        try:
            wait = self.backoff * self.factor ** max(next_attempt - 2, 0)
        except OverflowError:
            wait = self.max_backoff
        wait = min(wait, self.max_backoff)
        return wait * (1 + self.jitter * random.uniform(-1, 1))  # noqa: S311  (spreads load, keeps no secret)
