"""What a browser does with the HTML of a form: reads its inputs, and posts what they hold."""

from html.parser import HTMLParser
from typing import Any

from django.forms import BaseForm
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from pydantic import create_model

from django_wfe.forms import InputForm, build_input_form


class FormReader(HTMLParser):
    """Collects the successful controls of a page, as a browser would submit them, and all its elements.

    Elements inside <template> are inert, and a disabled fieldset is not submitted.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.posted: list[tuple[str, str]] = []
        self.buttons: dict[str, tuple[str, str]] = {}
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._template_depth = 0
        self._textarea: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._button: tuple[tuple[str, str], list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "template":
            self._template_depth += 1
        if self._template_depth:
            return
        self.elements.append((tag, attributes))
        name = attributes.get("name", "")
        if tag == "textarea":
            self._textarea = (name, [])
        elif tag == "select":
            self._select = (name, [])
        elif tag == "option" and self._select is not None:
            self._select[1].append((attributes["value"], "selected" in attributes))
        elif tag == "button":
            self._button = ((name, attributes.get("value", "")), [])
        elif tag == "input" and name:
            self._read_input(name, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._template_depth -= 1
        if self._template_depth:
            return
        if tag == "textarea" and self._textarea is not None:
            name, parts = self._textarea
            # HTML drops the first line break of a textarea, and a browser posts every line break as CRLF.
            text = "".join(parts).removeprefix("\n")
            self.posted.append((name, text.replace("\r\n", "\n").replace("\n", "\r\n")))
            self._textarea = None
        elif tag == "select" and self._select is not None:
            name, options = self._select
            chosen = next((value for value, is_selected in options if is_selected), options[0][0])
            self.posted.append((name, chosen))
            self._select = None
        elif tag == "button" and self._button is not None:
            pair, words = self._button
            self.buttons[" ".join("".join(words).split())] = pair
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self._textarea[1].append(data)
        if self._button is not None:
            self._button[1].append(data)

    def _read_input(self, name: str, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "text")
        if kind in {"checkbox", "radio"} and "checked" not in attributes:
            return
        if kind == "file":
            return
        value = attributes.get("value", "on" if kind == "checkbox" else "")
        assert "\n" not in value, f"a browser drops the line break in the input {name}"
        self.posted.append((name, value))


def make_form(annotation: Any, default: Any = ..., **arguments: Any) -> InputForm:
    """The form of a model with one field, named "value"."""
    schema = create_model("Sample", value=(annotation, default))
    return build_input_form(schema)(**arguments)


def read_form(form: BaseForm) -> FormReader:
    """The form as a browser sees it."""
    reader = FormReader()
    reader.feed(str(form))
    reader.close()
    return reader


def submit(form: BaseForm, button: str = "", **changes: Any) -> QueryDict:
    """The data of a submission: the form as drawn, with `changes` by name typed in, sent by the named button.

    In the names of `changes` a double underscore stands for the hyphen; None takes the input out, as an unticked
    checkbox is.
    """
    reader = read_form(form)
    data = MultiValueDict[str, str]()
    for name, value in reader.posted:
        data.appendlist(name, value)
    for name, value in changes.items():
        key = form.add_prefix(name.replace("__", "-"))
        if value is None:
            data.pop(key, None)
        else:
            data.setlist(key, value if isinstance(value, list) else [value])
    if button:
        data.appendlist(*reader.buttons[button])
    query = QueryDict(mutable=True)
    query.update(data)
    return query
