"""Inputs, results and logs for pages: cut to size inside the database, so that a page never loads megabytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Aggregate, QuerySet, TextField
from django.db.models.functions import Left, Length, Right
from django.utils.safestring import SafeString

from django_wfe.admin.elements.readable import KeyOrder, draw_json
from django_wfe.conf import DATABASE, settings
from django_wfe.definition.secret_places import MASK
from django_wfe.exceptions import LargeValueUnavailable
from django_wfe.models import JobLog, StepRun
from django_wfe.values.large_values import Reference, read_reference_text
from django_wfe.values.sealing import SEALED_TEXT, cover_sealed, cover_sealed_text
from django_wfe.values.visible_text import escape_unseen_in_json, strip_terminal_looks

PREVIEW_CHARACTERS = 20_000
SHORT_PREVIEW_CHARACTERS = 2_000
RUNS_WITH_LONG_PREVIEWS = 20

READABLE_CHARACTERS = 1_000_000
"""JSON that is longer is not drawn as labels and values: it would be read whole for the few that are shown."""

LINES_SHOWN = 200
CHARACTERS_SHOWN = 100_000
"""Of a text, a page shows no more; the rest is in a file."""

INDENTED_AT_MOST = 100_000
"""Characters of compact JSON: deep in lists and objects, indentation makes megabytes of it."""

# The text is worked out once, for OFFSET 0 is evaluated before what is around it; and not at all where even its
# compressed form is too much.
_PREVIEWS_OF_A_COLUMN = """
    CASE WHEN length({name}_as.text) <= %(indented)s
         THEN left(jsonb_pretty({name}_as.text::jsonb), %(characters)s) ELSE left({name}_as.text, %(characters)s) END,
    CASE WHEN length({name}_as.text) <= %(indented)s
         THEN length(jsonb_pretty({name}_as.text::jsonb))
         ELSE coalesce(length({name}_as.text), pg_column_size(run.{name})) END"""
_TEXT_OF_A_COLUMN = """
CROSS JOIN LATERAL (
    SELECT CASE WHEN pg_column_size(run.{name}) <= %(most)s THEN {text} END AS text OFFSET 0
) AS {name}_as"""

JSON_COLUMNS = ("external_data", "edited_input", "result")
WRAPPED = "edited_input"
"""The one of them in which the value stands under a name."""
PAYLOAD_COLUMNS = (*JSON_COLUMNS, "error", "traceback")
"""What lists never load."""

_TEXTS = {name: f"run.{name}::text" for name in JSON_COLUMNS}
# Something is sealed only in what was given: to a step, and to the job at its start.
_TEXTS["external_data"] = "regexp_replace(run.external_data::text, %(sealed)s, %(mask)s, 'g')"
_TEXTS["result"] = """CASE WHEN run.number = 0 THEN regexp_replace(run.result::text, %(sealed)s, %(mask)s, 'g')
         ELSE run.result::text END"""
_JSON_PREVIEWS = (
    f"SELECT run.id, {','.join(_PREVIEWS_OF_A_COLUMN.format(name=name) for name in JSON_COLUMNS)}\n"
    "FROM django_wfe_steprun AS run "
    f"{''.join(_TEXT_OF_A_COLUMN.format(name=name, text=text) for name, text in _TEXTS.items())}\n"
    "WHERE run.id = ANY(%(ids)s)"
)


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a text (of a log: its end), "" if even that would take too long.

    Attributes:
        size: the whole text's length in characters; where there is no text, in compressed bytes.
        order: of JSON, the order of its keys for a reader. None: this is not JSON.
        column: the column that has the whole, "" where that is in no file of its own.
        is_end: whether this is the end of the text, as of a log.
    """

    text: str
    size: int
    order: KeyOrder | None = None
    column: str = ""
    is_end: bool = False

    @property
    def shown(self) -> str:
        """Return what a page shows of the text: the first lines, or the last; without the colours of a terminal."""
        return cut_lines(self.text, is_end=self.is_end) if self.order is None else cut_lines(self.text, looks=True)

    @property
    def has_more(self) -> bool:
        """Return whether the text is longer than what is shown of it."""
        return self.is_cut or len(self.text) > CHARACTERS_SHOWN or self.text.count("\n") >= LINES_SHOWN

    @property
    def readable(self) -> SafeString | str:
        """Return the value as a person reads it; "" for what is not JSON, is cut, or is too long for that."""
        if self.order is None or self.is_cut or self.size > READABLE_CHARACTERS:
            return ""
        return draw_json(self.text, self.order)

    @property
    def is_cut(self) -> bool:
        """Return whether there is more than this."""
        return self.size > len(self.text)

    @property
    def is_long(self) -> bool:
        """Return whether a page should fold it away."""
        return len(self.text) > 600 or self.text.count("\n") > 12


class _JoinPieces(Aggregate):
    """The pieces of a log in their order. (Django's StringAgg spells its order differently in each version.)"""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, '' ORDER BY \"sequence\")"


def get_whole_size() -> int:
    """Return how many characters of each payload the page of one step run shows."""
    return settings.max_answer_bytes // len(PAYLOAD_COLUMNS)


def choose_preview_size(runs: int) -> int:
    """Return how many characters of each payload a page with this many step runs shows."""
    return PREVIEW_CHARACTERS if runs <= RUNS_WITH_LONG_PREVIEWS else SHORT_PREVIEW_CHARACTERS


def load_json_previews(step_run_ids: Iterable[int], characters: int, order: KeyOrder) -> dict[int, dict[str, Preview]]:
    """Return the previews of each step run's JSON columns, by id and column, in one query. Empty columns are left out.

    Short ones are indented. Each step run has its share of ``WFE_MAX_ANSWER_BYTES``: what is larger is not looked at.
    """
    ids = list(step_run_ids)
    parameters: dict[str, Any] = {
        "ids": ids,
        "characters": characters,
        "sealed": SEALED_TEXT,
        "mask": f'"{MASK}"',
        "indented": min(4 * characters, INDENTED_AT_MOST),
        "most": max(settings.max_answer_bytes // max(len(ids), 1), characters),
    }
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_JSON_PREVIEWS, parameters)
        rows = cursor.fetchall()
    previews: dict[int, dict[str, Preview]] = {}
    for pk, *values in rows:
        shown = zip(JSON_COLUMNS, values[::2], values[1::2], strict=True)
        previews[pk] = {
            name: _preview_file(text, parameters, order, name) or Preview(text or "", size, order, name)
            for name, text, size in shown
            if size
        }
    return previews


def _preview_file(text: str | None, limits: dict[str, Any], order: KeyOrder, name: str) -> Preview | None:
    """Return the preview of what is in a file, cut as the database cuts what is in rows; None if this is the value."""
    reference = read_reference_text(text, is_wrapped=name == WRAPPED)
    if reference is None:
        return None
    try:
        return _preview_reference(reference, limits, order, name)
    except LargeValueUnavailable as error:
        return Preview(str(error), len(str(error)))  # the rest of the page is as useful without it


def _preview_reference(reference: Reference, limits: dict[str, Any], order: KeyOrder, name: str) -> Preview:
    if reference.characters <= limits["indented"]:
        value = cover_sealed(reference.load()) if reference.is_sealed else reference.load()
        shown = json.dumps(value, indent=4, ensure_ascii=False)
        return Preview(shown[: limits["characters"]], len(shown), order, name)
    if not reference.is_sealed:
        return Preview(reference.load_beginning(limits["characters"]), reference.characters, order, name)
    if reference.bytes > limits["most"]:
        return Preview("", reference.characters, order, name)
    shown = cover_sealed_text(reference.load_text())
    return Preview(shown[: limits["characters"]], len(shown), order, name)


def load_text_previews(step_run_ids: Iterable[int], characters: int) -> dict[int, dict[str, Preview]]:
    """Return the previews of each step run's error and traceback, by id and column, in one query.

    Of a traceback that is the end: it tells what was raised, and where.
    """
    rows: Any = StepRun.objects.filter(pk__in=list(step_run_ids)).values_list(
        "pk", Left("error", characters), Length("error"), Right("traceback", characters), Length("traceback")
    )
    previews: dict[int, dict[str, Preview]] = {}
    for pk, error, error_size, traceback, traceback_size in rows:
        previews[pk] = found = {}
        if error_size:
            found["error"] = Preview(error, error_size)
        if traceback_size:
            found["traceback"] = Preview(traceback, traceback_size, column="traceback", is_end=True)
    return previews


def load_log_previews(step_run_ids: Iterable[int], characters: int) -> dict[int, Preview]:
    """Return the end of each step run's log, in one query. Step runs that wrote nothing are left out."""
    whole = _JoinPieces("text", output_field=TextField())
    rows: QuerySet[JobLog, Any] = (
        JobLog.objects.filter(step_run_id__in=list(step_run_ids))
        .order_by()
        .values("step_run_id")
        .annotate(preview=Right(whole, characters), size=Length(whole))
    )
    return {row["step_run_id"]: Preview(row["preview"], row["size"], is_end=True) for row in rows}


def cut_lines(text: str, lines: int = LINES_SHOWN, *, is_end: bool = False, looks: bool = False) -> str:
    """Return the first lines of a text, or the last ones where ``is_end``; "[…]" stands for what is left out.

    Args:
        looks: whether what colours the text in a terminal stays. Default False: it is taken out.
    """
    ended = text.endswith("\n")
    parts = text.removesuffix("\n").split("\n")
    kept = "\n".join(parts[-lines:] if is_end else parts[:lines])
    kept = kept[-CHARACTERS_SHOWN:] if is_end else kept[:CHARACTERS_SHOWN]
    is_whole = len(kept) >= len(text) - ended
    kept = kept if looks else strip_terminal_looks(kept)
    if is_whole:
        return f"{kept}\n" if ended else kept
    return f"[…]\n{kept}" if is_end else f"{kept}\n[…]"


def write_json_to_edit(value: Any) -> str:
    """Return a value as JSON text for a field: what is typed stays as it is, so it holds no unseen character."""
    return escape_unseen_in_json(write_json(value))


def write_json(value: Any) -> str:
    """Return a value as indented JSON text for a reader."""
    return json.dumps(value, indent=2, ensure_ascii=False)
