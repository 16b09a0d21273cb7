"""A text for one value of a schema, as its input in a form would read it: what files of rows are read by.

So a cell means what the same text means when it is typed, and is refused for the same reason.
"""

from __future__ import annotations

import functools
from typing import Any

from django_wfe.forms.declarations.declaration import (
    Declaration,
    GroupDeclaration,
    ListDeclaration,
    MultipleDeclaration,
)
from django_wfe.forms.declarations.factory import make_field
from django_wfe.forms.fields.documents import JsonField, UploadField
from django_wfe.forms.fields.scalars import BooleanField, InputField, TextField
from django_wfe.forms.fields.secrets import SecretField
from django_wfe.forms.fields.temporal import DateField, DateTimeField, TimeField

TRUTHS = {"true": True, "false": False}


class TextReader:
    """Reads texts for one declared value."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration

    @functools.cached_property
    def field(self) -> InputField:
        """The input that a form has for the value; JSON for a group, a list and all that has several inputs."""
        facts = self.declaration.facts
        if isinstance(self.declaration, (GroupDeclaration, ListDeclaration, MultipleDeclaration)):
            return JsonField(schema=facts.json_schema)
        field = make_field(
            facts,
            label="",
            help_text="",
            examples=[],
            must_choose=True,
            max_upload_bytes=0,
            is_secret=self.declaration.is_secret,
        )
        return field.inner if isinstance(field, SecretField) else field

    @property
    def takes_text(self) -> bool:
        """Whether the value is the text itself, each of its characters."""
        return isinstance(self.field, (TextField, UploadField))

    @property
    def takes_json(self) -> bool:
        """Whether the text is JSON."""
        return isinstance(self.field, JsonField)

    def read(self, text: str) -> Any:
        """Return the JSON value of a text that is not empty. Pydantic is to judge it, as it judges a form's.

        Raises:
            django.core.exceptions.ValidationError: no value can be made of it.
        """
        if self.declaration.facts.type is bool or isinstance(self.field, BooleanField):
            # A checkbox posts nothing of the kind: its words are those of JSON.
            return TRUTHS.get(text.strip().lower(), text)
        if isinstance(self.field, (UploadField, DateField, DateTimeField, TimeField)):
            return text  # what the file would hold; a time, whose meaning is settled for all doors in one place
        value = self.field.clean(text)
        # A browser turns each line break into CRLF, and the form turns it back; here there is nothing to turn back.
        return text if self.takes_text else value
