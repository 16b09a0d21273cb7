"""Secrets: typed, and never written into a page again."""

from typing import Any

from django import forms
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from pydantic import Secret, SecretBytes, SecretStr

from django_wfe.definition.secret_places import SECRET_TYPES
from django_wfe.forms.fields import widgets
from django_wfe.forms.fields.annotations import TypeFacts, read_annotation
from django_wfe.forms.fields.scalars import InputField, to_plain
from django_wfe.forms.fields.values import EMPTY, MISSING


class CoveredTextarea(widgets.Textarea):
    """A textarea that is always drawn empty, for secrets of many lines."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return super().render(name, None, attrs, renderer)


class SecretField(InputField):
    """A secret, or data that holds one. Left empty it stays what the initial data or the schema's default says.

    `inner` reads what is typed, as it would if it were not secret. `initial_is_default` tells that the initial value is
    the schema's default, which is then left to the schema.
    """

    is_secret = True
    initial_is_default = False
    given_again = _("Type it again: a secret is not shown again.")

    def __init__(self, *, inner: InputField, **options: Any) -> None:
        is_long = isinstance(inner.widget, forms.Textarea)
        super().__init__(widget=CoveredTextarea() if is_long else forms.PasswordInput(), **options)
        self.inner = inner
        # A browser fills in no password of its own.
        self.widget.attrs.update({"autocomplete": "off" if is_long else "new-password"})
        self.widget.attrs.update({"spellcheck": "false"} if is_long else {"class": "vTextField"})

    def mark_required(self) -> None:
        self.required = not self.has_initial

    def clean(self, value: Any) -> Any:
        cleaned = self.inner.clean(value)
        if cleaned is EMPTY and self.has_initial:
            return MISSING if self.initial_is_default else _reveal(self.initial)
        return cleaned

    def explain_format(self) -> str:
        return self.inner.explain_format()

    def prepare_value(self, value: Any) -> None:
        return None


def read_content(facts: TypeFacts) -> TypeFacts:
    """What a secret holds: the facts of `int` for those of `Secret[int]`. Other facts are given back."""
    kind = facts.type
    if isinstance(kind, type) and issubclass(kind, (SecretStr, SecretBytes)):
        return TypeFacts(type=str, extra=facts.extra)
    bases = [kind, *getattr(kind, "__orig_bases__", ())]
    held = next((base.__args__ for base in bases if getattr(base, "__origin__", None) is Secret), ())
    return read_annotation(held[0]) if held else facts


def _reveal(value: Any) -> Any:
    if isinstance(value, SECRET_TYPES):
        return _reveal(value.get_secret_value())
    if isinstance(value, dict):
        return {key: _reveal(part) for key, part in value.items()}
    return [_reveal(part) for part in value] if isinstance(value, (list, tuple)) else to_plain(value)
