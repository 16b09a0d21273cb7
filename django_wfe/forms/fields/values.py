"""What a form's values can be beside the values of the schema: nothing, in two ways, and a default that failed."""

import enum
from dataclasses import dataclass
from typing import Final


class Nothing(enum.Enum):
    """MISSING: no value was given by the initial data or the schema. EMPTY: the person left the field empty."""

    MISSING = "missing"
    EMPTY = "empty"

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class DefaultDefect:
    """Stands for a default that could not be made, since the project's code for it raised an exception.

    `place` is the field in code, such as "Order.due"; `error` says what was raised.
    """

    place: str
    error: str


MISSING: Final = Nothing.MISSING
EMPTY: Final = Nothing.EMPTY
