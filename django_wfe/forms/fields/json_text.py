"""JSON that a person typed: read as it stands, or refused with the reason."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_wfe.definition.texts import find_unstorable
from django_wfe.values import json_text


def read_json(text: str) -> Any:
    """Return the value of a JSON text, in plain Python types.

    Raises:
        ValidationError: Django's; for a text that ``values.json_text`` does not read, or that holds what cannot be
            stored (NUL characters, lone surrogates).
    """
    try:
        value = json_text.read_json(text)
    except json_text.UnreadableJson as error:
        raise ValidationError(str(error), "syntax") from None
    if any(find_unstorable(value)):
        message = _("This JSON cannot be stored: it contains a NUL character or text that is not Unicode.")
        raise ValidationError(message, "storable")
    return value
