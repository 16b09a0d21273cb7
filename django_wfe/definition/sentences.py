"""A sentence that can be kept in a row and said again in the language of each reader.

What is kept is the English sentence with its places, and the values; ``django_wfe.values.sentences`` translates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django_wfe.definition.texts import make_storable

Translate = Callable[[str], str]


class Sentence(str):
    """A text that knows of what it was made: ``message`` is the English sentence, and ``values`` fill its places.

    A Sentence among the values is said in the same language as the whole.
    """

    __slots__ = ("message", "values")

    message: str
    values: Mapping[str, Any]

    def __new__(cls, text: str, message: str, values: Mapping[str, Any] | None = None) -> Sentence:
        made = super().__new__(cls, text)
        made.message = message
        made.values = values or {}
        return made

    def __reduce__(self) -> tuple[type[Sentence], tuple[str, str, Mapping[str, Any]]]:
        """Be copied and pickled with what it knows, as part of exceptions and dataclasses."""
        return Sentence, (str(self), self.message, dict(self.values))

    def __mod__(self, values: Any) -> Sentence:
        """Return the sentence with its places filled.

        Args:
            values: a mapping by the names of the places.
        """
        kept = {name: value if type(value) in _KEPT else str(value) for name, value in values.items()}
        return Sentence(super().__mod__(values), self.message, kept)

    @property
    def english(self) -> str:
        """The sentence as it is kept beside what it was made of: in logs, and for programs that read the row."""
        return self.say(str)

    def say(self, translate: Translate) -> str:
        """Return the sentence in another language.

        Args:
            translate: returns the translation of an English sentence with places.
        """
        values = {name: _say(value, translate) for name, value in self.values.items()}
        return translate(self.message) % values if values else translate(self.message)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; ``from_json`` reads it."""
        values = {name: _pack(value) for name, value in self.values.items()}
        return {"message": self.message, "values": values} if values else {"message": self.message}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Sentence:
        """Return the sentence that ``to_json`` described, in English."""
        values = {name: _unpack(value) for name, value in data.get("values", {}).items()}
        made = Sentence(data["message"], data["message"], values)
        return Sentence(made.english, made.message, values)


Finding = tuple[str, Sentence, Sentence]
"""A code, what is wrong, and the cure."""

_KEPT = (str, int, float, bool, type(None), Sentence)


def mark(message: str) -> Sentence:
    """Return an English sentence that is to be translated when it is shown. Import it as ``_``, so that it is found."""
    return Sentence(message, message)


def _say(value: Any, translate: Translate) -> Any:
    return value.say(translate) if isinstance(value, Sentence) else value


def _pack(value: Any) -> Any:
    if isinstance(value, Sentence):
        return value.to_json()
    return make_storable(value) if isinstance(value, str) else value


def _unpack(value: Any) -> Any:
    return Sentence.from_json(value) if isinstance(value, dict) else value
