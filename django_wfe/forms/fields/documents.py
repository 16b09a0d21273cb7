"""Whole documents as one value: JSON in a textarea, and uploaded files."""

import json
from collections.abc import Set
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from django_wfe.forms.fields import widgets
from django_wfe.forms.fields.annotations import TypeFacts
from django_wfe.forms.fields.json_text import read_json
from django_wfe.forms.fields.scalars import InputField, to_plain
from django_wfe.forms.fields.values import EMPTY, MISSING


class JsonField(InputField):
    """JSON in a textarea, for every type that has no input of its own. `schema` is shown beside it."""

    widget = widgets.Textarea

    def __init__(self, *, schema: dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.schema = schema
        self.widget.attrs.update({"class": "vLargeTextField wfe-json", "spellcheck": "false"})

    @property
    def schema_text(self) -> str:
        return json.dumps(self.schema, indent=2, ensure_ascii=False, default=str)

    def parse(self, value: Any) -> Any:
        return read_json(value)

    def prepare_value(self, value: Any) -> str:
        plain = to_plain(value)
        return "" if plain is MISSING else json.dumps(plain, indent=2, ensure_ascii=False)


class JsonTextField(JsonField):
    """A text that holds JSON, which pydantic reads itself: the type `Json[...]`. The text is kept as it was typed."""

    def __init__(self, *, facts: TypeFacts, **options: Any) -> None:
        super().__init__(schema=facts.json_schema.get("contentSchema", {}), **options)
        self.facts = facts

    def parse(self, value: Any) -> Any:
        read_json(value)
        return value

    def prepare_value(self, value: Any) -> str:
        # The text that is stored, or what it says, as an instance of the model has it.
        return value if isinstance(value, str) and self.facts.accepts(value) else super().prepare_value(value)


class ExtrasField(JsonField):
    """The values of a model beyond its fields: a JSON object. `taken` are the names that it must not hold."""

    default_error_messages = {
        "object": _('Enter a JSON object, such as {"name": 1}.'),
        "taken": _("“%(name)s” has its own field. Remove it here."),
    }

    def __init__(self, *, taken: Set[str], **options: Any) -> None:
        super().__init__(schema={}, **options)
        self.taken = taken

    def parse(self, value: Any) -> Any:
        parsed = read_json(value)
        if not isinstance(parsed, dict):
            raise ValidationError(self.error_messages["object"], code="object")
        for name in self.taken & parsed.keys():
            raise ValidationError(self.error_messages["taken"], code="taken", params={"name": name})
        return parsed


class UploadField(InputField):
    """A file whose text becomes the value. With no file chosen it stays what the initial data says.

    `max_bytes` is the size that is read at most. `encoder` is pydantic's, for Base64Bytes and its kin: then the file
    may be binary, and its encoded bytes become the value.
    """

    widget = forms.FileInput
    given_again = _("Choose the file again: a browser does not keep it.")
    default_error_messages = {
        "undecodable": _(
            "“%(name)s” is not UTF-8 text: byte %(position)s is %(byte)s. Save it as UTF-8 and choose it again."
        ),
        "nul": _("“%(name)s” holds a NUL character at byte %(position)s: it is not a text file."),
        "too_large": _("“%(name)s” has %(size)s bytes; at most %(limit)s are accepted."),
    }

    def __init__(self, *, max_bytes: int, encoder: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.max_bytes = max_bytes
        self.encoder = encoder

    def mark_required(self) -> None:
        self.required = not self.has_initial

    def clean(self, value: Any) -> Any:
        if isinstance(value, UploadedFile):
            return self.parse(value)
        return self._keep_initial() if self.has_initial else EMPTY

    def parse(self, value: "UploadedFile[Any]") -> str:
        name, size = value.name, value.size or 0
        if size > self.max_bytes:
            params: dict[str, Any] = {"name": name, "size": size, "limit": self.max_bytes}
            raise ValidationError(self.error_messages["too_large"], code="too_large", params=params)
        value.seek(0)
        content: bytes = value.read()
        if self.encoder is not None:
            return str(self.encoder.encode(content).decode("ascii"))
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            params = {"name": name, "position": error.start + 1, "byte": f"0x{content[error.start]:02X}"}
            raise ValidationError(self.error_messages["undecodable"], code="undecodable", params=params) from None
        if "\0" in text:
            params = {"name": name, "position": content.index(0) + 1}
            raise ValidationError(self.error_messages["nul"], code="nul", params=params)
        # The byte order mark says how the file is encoded; it is not part of its text.
        return text.removeprefix("\ufeff")

    def prepare_value(self, value: Any) -> None:
        return None

    def explain_format(self) -> str:
        return str(_("Without a file, the present one stays.")) if self.has_initial else ""

    def _keep_initial(self) -> Any:
        if self.encoder is not None and isinstance(self.initial, bytes):
            return str(self.encoder.encode(self.initial).decode("ascii"))
        return to_plain(self.initial)
