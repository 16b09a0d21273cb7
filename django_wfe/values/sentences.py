"""Sentences that rows keep as what they are made of, and that each reader gets in their own language.

In the place of Django's ``gettext``, ``gettext`` of this module makes a sentence that an exception can carry to a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _translate

from django_wfe.definition.sentences import Sentence
from django_wfe.definition.texts import make_storable

__all__ = ["Sentence", "gettext", "keep", "read", "read_error", "remember", "say", "write_english"]


def gettext(message: str) -> Sentence:
    """Translate as Django does, and remember the English sentence."""
    return Sentence(_translate(message), message)


def remember(text: str | Promise) -> Sentence:
    """Return a text that may be lazily translated as a sentence that remembers what it was before."""
    if isinstance(text, Sentence):
        return text
    with translation.override(None):
        message = str(text)
    return Sentence(str(text), message)


def read_error(error: BaseException) -> str:
    """Return what an exception says: the sentence that it was made with, if it remembers."""
    text = str(error)
    made_with = error.args[0] if len(error.args) == 1 else None
    return made_with if isinstance(made_with, Sentence) and made_with == text else text


def write_english(text: str) -> str:
    """Return a text in English, if it is a sentence that remembers; any other as it is. As the database can keep it."""
    return make_storable(text.english if isinstance(text, Sentence) else text)


def say(text: str) -> str:
    """Return a text in the reader's language, if it is a sentence that remembers; any other as it is."""
    return text.say(_translate) if isinstance(text, Sentence) else text


def keep(text: str) -> dict[str, Any] | None:
    """Return what a row keeps of a sentence beside its English text; None if it is a text like any other."""
    return text.to_json() if isinstance(text, Sentence) else None


def read(kept: Mapping[str, Any] | None, text: str) -> str:
    """Return what was kept by ``keep`` in the reader's language.

    Args:
        text: what is returned if nothing was kept, or by a later version that fills other places.
    """
    if not kept:
        return text
    try:
        return Sentence.from_json(kept).say(_translate)
    except (AttributeError, KeyError, TypeError, ValueError):
        return text
