"""JSON as a person reads it: labels and values, and a table for a list of records.

It is made of what steps and people wrote, so all of it is escaped, and of at most ``VALUES_SHOWN`` values in ``DEPTH``
levels, so that no value makes a page long. The JSON itself is shown beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.definition.graph import Graph, split_words
from django_wfe.definition.texts import flatten_text

VALUES_SHOWN = 200
DEPTH = 4
"""What is nested deeper is shown as JSON on one line."""

CHARACTERS_SHOWN = 6_000
"""Of a text that is longer, the beginning is shown."""

BRIEFLY = 80
"""Characters of a value in a line that only tells what there is."""

COLUMNS_SHOWN = 6
"""A list of records with more columns than this is drawn one record after another."""

_NOTHING = format_html('<span class="wfe-quiet">{}</span>', "–")


class _Number(str):
    """A number with the digits that the JSON has: as a float it would lose some."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """What a workflow's input schemas say of the keys.

    Attributes:
        places: the place of each key. PostgreSQL's jsonb keeps no order: its own goes by the length of the keys.
        titles: the words that a schema gives to a key, where they are not its own.
    """

    places: Mapping[str, int] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)

    def label(self, key: str) -> str:
        """Return the words of a key."""
        return self.titles.get(key) or label_key(key)

    def sort(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record with its known keys first, in their order."""
        known = sorted((key for key in record if key in self.places), key=self.places.__getitem__)
        return {key: record[key] for key in (*known, *(key for key in record if key not in self.places))}


def draw_json(text: str, order: KeyOrder) -> SafeString | str:
    """Return the HTML of the value that this JSON holds; "" for what is no more readable than its JSON."""
    try:
        value = json.loads(text, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict | list) or not value:
        return ""
    return _Drawing(order).draw(value, DEPTH)


def list_briefly(text: str, order: KeyOrder, most: int) -> list[tuple[str, str]]:
    """Return at most ``most`` labels and short values of the object that this JSON holds; [] for what is none."""
    try:
        value = json.loads(text, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, dict):
        return []
    chosen = dict(list(order.sort(value).items())[:most])
    return [(_shorten(label, BRIEFLY // 2), _write_briefly(part)) for label, part in _label(chosen, order)]


def read_key_order(graph: Graph) -> KeyOrder:
    """Return the order in which people know the keys: that of the fields in the workflow's input schemas.

    A schema is kept as jsonb too, so its properties have lost their order; its list of required fields has not.
    """
    return read_schema_order(graph.input_schema, *(node.input_schema for node in graph.nodes))


def read_schema_order(*schemas: Mapping[str, Any] | None) -> KeyOrder:
    """Return the order and the words of the keys in these JSON Schemas; None stands for no schema."""
    places: dict[str, int] = {}
    titles: dict[str, set[str]] = {}
    for schema in filter(None, schemas):
        for part in (schema, *schema.get("$defs", {}).values()):
            properties = part.get("properties", {})
            for key in (*part.get("required", ()), *properties):
                places.setdefault(key, len(places))
            for key, about in properties.items():
                titles.setdefault(key, set()).add(_read_title(key, about))
    # A key that two steps call differently keeps its own words.
    return KeyOrder(places, {key: found.pop() for key, found in titles.items() if len(found) == 1})


@dataclass(frozen=True, slots=True)
class AskedField:
    """A field that a schema asks for, in words."""

    name: str
    label: str
    description: str
    is_required: bool


def list_asked_fields(schema: Mapping[str, Any]) -> list[AskedField]:
    """Return what a JSON Schema asks for, in the order of its fields as far as jsonb has kept it."""
    order, properties = read_schema_order(schema), schema.get("properties", {})
    required = schema.get("required", ())
    return [
        AskedField(name, order.label(name), str(about.get("description", "")), name in required)
        for name, about in order.sort(properties).items()
    ]


def label_key(key: str) -> str:
    """Return the words of a key that is a name, such as ``unit_price``; any other key as it is."""
    return split_words(key) if key.isidentifier() and key.strip("_") else key


class _Drawing:
    """Draws one value, and counts what it has drawn."""

    def __init__(self, order: KeyOrder) -> None:
        self._left = VALUES_SHOWN
        self._order = order

    def draw(self, value: Any, depth: int) -> SafeString | str:
        """Return the HTML of a value, of which ``depth`` levels may be drawn."""
        if not isinstance(value, dict | list):
            return _draw_scalar(value)
        if not value:
            return _NOTHING
        if depth == 0:
            return format_html('<code class="wfe-path">{}</code>', json.dumps(value, ensure_ascii=False))
        if isinstance(value, dict):
            return self._draw_record(value, depth)
        columns = self._find_columns(value)
        return self._draw_table(value, columns) if columns else self._draw_list(value, depth)

    def _draw_record(self, record: dict[str, Any], depth: int) -> SafeString:
        labelled = _label(self._order.sort(record), self._order)
        entries = [(label, self.draw(value, depth - 1)) for label, value in self._take(labelled)]
        drawn = format_html_join("", '<div><dt translate="no">{}</dt><dd>{}</dd></div>', entries)
        return format_html('<dl class="wfe-values">{}</dl>{}', drawn, _tell_rest(len(record) - len(entries)))

    def _draw_list(self, values: list[Any], depth: int) -> SafeString:
        items = [(self.draw(value, depth - 1),) for value in self._take(values)]
        drawn = format_html_join("", "<li>{}</li>", items)
        return format_html('<ul class="wfe-values-list">{}</ul>{}', drawn, _tell_rest(len(values) - len(items)))

    def _draw_table(self, records: list[dict[str, Any]], columns: list[tuple[str, str]]) -> SafeString:
        heads = format_html_join("", '<th scope="col" translate="no">{}</th>', ((label,) for _key, label in columns))
        rows = []
        for record in records:
            if self._left < len(columns):
                break
            self._left -= len(columns)
            cells = ((label, _draw_scalar(record[key]) if key in record else _NOTHING) for key, label in columns)
            rows.append((format_html_join("", '<td data-label="{}"><span>{}</span></td>', cells),))
        body = format_html_join("", "<tr>{}</tr>", rows)
        return format_html(
            '<table class="wfe-table wfe-stack wfe-values-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}',
            heads,
            body,
            _tell_rest(len(records) - len(rows)),
        )

    def _find_columns(self, values: list[Any]) -> list[tuple[str, str]]:
        """Return the keys and labels of the columns, if the list is one of flat records that fit into a table."""
        keys: dict[str, None] = {}
        for value in values:
            if (
                not isinstance(value, dict)
                or not value
                or any(isinstance(cell, dict | list) for cell in value.values())
            ):
                return []
            keys.update(dict.fromkeys(value))
            if len(keys) > COLUMNS_SHOWN:
                return []
        keys = self._order.sort(keys)
        return [(key, label) for key, (label, _value) in zip(keys, _label(keys, self._order), strict=True)]

    def _take(self, entries: Iterable[Any]) -> Iterable[Any]:
        for entry in entries:
            if self._left <= 0:
                return
            self._left -= 1
            yield entry


def _draw_scalar(value: Any) -> SafeString | str:
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value == "":
        return format_html('<span class="wfe-quiet">{}</span>', _("empty"))
    text = str(value)
    if len(text) > CHARACTERS_SHOWN:
        text = f"{text[:CHARACTERS_SHOWN]}…"
    return format_html('<span class="wfe-value" translate="no">{}</span>', text)


def _write_briefly(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict | list):
        count = len(value)
        return ngettext("%(count)s entry", "%(count)s entries", count) % {"count": count}
    if value == "":
        return _("empty")
    return _shorten(str(value), BRIEFLY)


def _shorten(text: str, most: int) -> str:
    return flatten_text(text) if len(text) <= most else f"{flatten_text(text[:most])}…"


def _read_title(key: str, about: Any) -> str:
    """Return the title that a schema gives to a key, "" for that which pydantic makes of every key."""
    title = str(about.get("title") or "") if isinstance(about, dict) else ""
    return "" if title == key.title().replace("_", " ").strip() else title


def _label(record: dict[str, Any], order: KeyOrder) -> list[tuple[str, Any]]:
    """Return labels and values. Keys whose words are the same, such as ``aB`` and ``a_b``, stay as they are."""
    labels = [order.label(key) for key in record]
    if len(set(labels)) < len(labels):
        labels = list(record)
    return list(zip(labels, record.values(), strict=True))


def _tell_rest(count: int) -> SafeString | str:
    if count <= 0:
        return ""
    sentence = ngettext("%(count)s more is in the JSON.", "%(count)s more are in the JSON.", count) % {"count": count}
    return format_html('<p class="wfe-note">{}</p>', sentence)
