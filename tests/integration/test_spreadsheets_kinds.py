"""Every kind of field through files: its default written and read again, and a value that is refused."""

import datetime
import enum
import json
import uuid
from decimal import Decimal
from typing import Any, Literal

import pydantic
import pytest
from django.utils import timezone
from pydantic import create_model

from django_wfe.engine.inputs.validation import encode_input, load_input
from django_wfe.engine.lifecycle import StartRow
from django_wfe.engine.operations.starting_many import validate_row
from django_wfe.forms import build_input_form
from django_wfe.forms.declarations.declaration import ListDeclaration, declare_form
from tests.support.forms.field_kinds import FIELD_KINDS, FieldKind
from tests.support.forms.kind_files import NotSayableError, write_cells, write_csv, write_xlsx
from tests.support.forms.spreadsheets import read

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

SHOWN = [kind for kind in FIELD_KINDS if not kind.holds_secret]


def check(kind: FieldKind, row: StartRow) -> None:
    assert row.errors == ()
    assert load_input(kind.model, encode_input(kind.model, row.values, "the input")) == kind.instance


@pytest.mark.parametrize("kind", SHOWN, ids=str)
def test_a_default_written_to_a_csv_and_read_gives_an_equal_model(kind: FieldKind) -> None:
    check(kind, read("a.csv", write_csv(write_cells(kind.model, kind.data)), kind.model)[0])


@pytest.mark.parametrize("kind", SHOWN, ids=str)
def test_a_default_written_to_a_workbook_and_read_gives_an_equal_model(kind: FieldKind) -> None:
    check(kind, read("a.xlsx", write_xlsx(write_cells(kind.model, kind.data), kind.instance), kind.model)[0])


@pytest.mark.parametrize("kind", SHOWN, ids=str)
def test_a_default_written_to_json_and_read_gives_an_equal_model(kind: FieldKind) -> None:
    check(kind, read("a.json", json.dumps([kind.data]), kind.model)[0])


@pytest.mark.parametrize("kind", FIELD_KINDS, ids=str)
def test_a_wrong_value_is_refused_by_each_file(kind: FieldKind) -> None:
    [row] = read("a.json", json.dumps([kind.wrong]), kind.model)
    assert validate_row(row, kind.model)[0]
    try:
        cells = write_cells(kind.model, kind.wrong, exactly=True)
    except NotSayableError:
        return
    for name, content in (("a.csv", write_csv(cells)), ("a.xlsx", write_xlsx(cells))):
        [row] = read(name, content, kind.model)
        assert row.errors or validate_row(row, kind.model)[0], name


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "05"


TEXTS = (
    *("5", "05", "5.0", " 5 ", "1e3", "4.00638E+12", "1_000", "٣", "12,50", "1.234,5", "NaN", "inf", "9" * 40),
    *("20260131", "46053", "46053.5", "2026-01-31", "2026-1-31", "31.01.2026", "2026-01-31T08:30", "2026-01-31 08:30Z"),
    *("2026-W05-6", "1612121012345", "2026-10-25T02:30", "2026-03-29T02:30:00", "08:30", "8:30", "08:30:15.5"),
    *("01:30", "90", "PT90M", "1 12:30:00", "-01:30", "[1, 2]", "[1, ", "{}", "null", "s", "SMALL", "x", " "),
)
ANNOTATIONS = (
    *(int, float, Decimal, str, datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
    *(pydantic.AwareDatetime, pydantic.NaiveDatetime, Literal["s", "x"], Size, list[int], uuid.UUID, int | str, Any),
    *(datetime.date | None, pydantic.StrictInt, pydantic.Json, pydantic.SecretStr, int | None, dict[str, int]),
)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
def test_a_text_means_in_a_file_what_it_means_in_a_form(annotation: Any) -> None:
    model = create_model("Asked", value=(annotation, ...))
    taken = 0
    with timezone.override("Europe/Berlin"):
        for text in TEXTS:
            posted = {"value": text}
            if isinstance(declare_form(model).children[0], ListDeclaration):
                continue  # a list has an input for each item there
            form = build_input_form(model)(posted)
            [row] = read("a.csv", write_csv(posted), model)
            refused = bool(row.errors or validate_row(row, model)[0])
            assert refused != form.is_valid(), text
            if not refused:
                taken += 1
                # As texts, since Json reads "NaN", which equals nothing.
                told, typed = (
                    repr(load_input(model, encode_input(model, data, ""))) for data in (row.values, form.external_data)
                )
                assert told == typed, text
    assert taken or annotation in (list[int], uuid.UUID)


def test_most_wrong_values_can_be_said_in_a_file() -> None:
    unsaid = []
    for kind in FIELD_KINDS:
        try:
            write_cells(kind.model, kind.wrong, exactly=True)
        except NotSayableError:
            unsaid.append(kind.name)
    assert len(unsaid) < len(FIELD_KINDS) / 5, unsaid
