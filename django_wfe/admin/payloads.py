"""Inputs, results and logs for pages: cut to size inside the database, so that a page never loads megabytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Aggregate, F, Func, QuerySet, TextField, Value
from django.db.models.functions import Left, Length, Right
from django.utils.safestring import SafeString

from django_wfe.admin.readable import KeyOrder, draw_json
from django_wfe.models import JobLog, StepRun
from django_wfe.sealing import MARK
from django_wfe.secret_places import MASK

PREVIEW_CHARACTERS = 20_000
SHORT_PREVIEW_CHARACTERS = 2_000
RUNS_WITH_LONG_PREVIEWS = 20

SEALED = rf'\{{\s*"{re.escape(MARK)}": "[^"]*"\s*\}}'
"""How PostgreSQL writes a sealed value."""

JSON_COLUMNS = ("external_data", "edited_input", "result")
PAYLOAD_COLUMNS = (*JSON_COLUMNS, "error", "traceback")
"""What lists never load."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a text (of a log: its end). ``size`` is the whole text's length in characters."""

    text: str
    size: int
    order: KeyOrder | None = None
    """Of JSON: the order of its keys for a reader. None: this is no JSON."""

    @property
    def readable(self) -> SafeString | str:
        """Return the value as a person reads it; "" for what is no JSON, is cut, or is too long for that."""
        if self.order is None or self.is_cut or self.size > PREVIEW_CHARACTERS:
            return ""
        return draw_json(self.text, self.order)

    @property
    def is_cut(self) -> bool:
        """Tell whether there is more than this."""
        return self.size > len(self.text)

    @property
    def is_long(self) -> bool:
        """Tell whether a page should fold it away."""
        return len(self.text) > 600 or self.text.count("\n") > 12


class _JoinPieces(Aggregate):
    """The pieces of a log in their order. (Django's StringAgg spells its order differently in each version.)"""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, '' ORDER BY \"sequence\")"


def choose_preview_size(runs: int) -> int:
    """Give how many characters of each payload a page with this many step runs shows."""
    return PREVIEW_CHARACTERS if runs <= RUNS_WITH_LONG_PREVIEWS else SHORT_PREVIEW_CHARACTERS


def load_json_previews(step_run_ids: Iterable[int], characters: int, order: KeyOrder) -> dict[int, dict[str, Preview]]:
    """Give the previews of each step run's JSON columns, by id and column, in one query. Empty columns are left out."""
    columns: dict[str, Any] = {}
    for name in JSON_COLUMNS:
        pretty: Any = Func(F(name), function="jsonb_pretty", output_field=TextField())
        if name == "external_data":
            pretty = Func(pretty, Value(SEALED), Value(f'"{MASK}"'), Value("g"), function="regexp_replace")
        columns[f"{name}_text"] = Left(pretty, characters)
        columns[f"{name}_size"] = Length(pretty)
    rows: Any = StepRun.objects.filter(pk__in=list(step_run_ids)).values("pk", **columns)
    return {
        row["pk"]: {name: _preview(row, name, order) for name in JSON_COLUMNS if row[f"{name}_size"]} for row in rows
    }


def load_text_previews(step_run_ids: Iterable[int], characters: int) -> dict[int, dict[str, Preview]]:
    """Give the previews of each step run's error and traceback, by id and column, in one query."""
    columns: dict[str, Any] = {}
    for name in ("error", "traceback"):
        columns[f"{name}_text"] = Left(name, characters)
        columns[f"{name}_size"] = Length(name)
    rows: Any = StepRun.objects.filter(pk__in=list(step_run_ids)).values("pk", **columns)
    return {
        row["pk"]: {name: _preview(row, name) for name in ("error", "traceback") if row[f"{name}_size"]} for row in rows
    }


def load_log_previews(step_run_ids: Iterable[int], characters: int) -> dict[int, Preview]:
    """Give the end of each step run's log, in one query. Step runs that wrote nothing are left out."""
    whole = _JoinPieces("text", output_field=TextField())
    rows: QuerySet[JobLog, Any] = (
        JobLog.objects.filter(step_run_id__in=list(step_run_ids))
        .order_by()
        .values("step_run_id")
        .annotate(preview=Right(whole, characters), size=Length(whole))
    )
    return {row["step_run_id"]: Preview(row["preview"], row["size"]) for row in rows}


def write_json(value: Any) -> str:
    """Give a value as indented JSON text for a reader."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _preview(row: Mapping[str, Any], name: str, order: KeyOrder | None = None) -> Preview:
    return Preview(row[f"{name}_text"], row[f"{name}_size"], order)
