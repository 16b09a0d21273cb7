"""The two marks for "nothing" that None cannot be, since None is a value."""

import enum
from typing import Final


class Nothing(enum.Enum):
    """MISSING: no value was given by the initial data or the schema. EMPTY: the person left the field empty."""

    MISSING = "missing"
    EMPTY = "empty"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Nothing.MISSING
EMPTY: Final = Nothing.EMPTY
