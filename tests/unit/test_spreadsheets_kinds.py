"""Every kind of field through files: its default written and read again, and a value that is refused."""

import json

import pytest

from django_wfe.engine.inputs import encode_input, load_input
from django_wfe.engine.lifecycle import StartRow
from django_wfe.engine.starting_many import _find_errors
from tests.support.field_kinds import FIELD_KINDS, FieldKind
from tests.support.kind_files import NotSayableError, write_cells, write_csv, write_xlsx
from tests.support.spreadsheets import read

pytestmark = pytest.mark.unit

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
    assert _find_errors(row, kind.model)
    try:
        cells = write_cells(kind.model, kind.wrong, exactly=True)
    except NotSayableError:
        return
    for name, content in (("a.csv", write_csv(cells)), ("a.xlsx", write_xlsx(cells))):
        [row] = read(name, content, kind.model)
        assert row.errors or _find_errors(row, kind.model), name


def test_most_wrong_values_can_be_said_in_a_file() -> None:
    unsaid = []
    for kind in FIELD_KINDS:
        try:
            write_cells(kind.model, kind.wrong, exactly=True)
        except NotSayableError:
            unsaid.append(kind.name)
    assert len(unsaid) < len(FIELD_KINDS) / 5, unsaid
