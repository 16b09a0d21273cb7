"""docs/reference.md lists what is public, as the code has it."""

import importlib
import re
from pathlib import Path

import pytest

from docs import write_reference

pytestmark = pytest.mark.unit

MODULES = sorted(write_reference.MODULES)


def test_the_page_is_what_make_reference_would_write() -> None:
    assert write_reference.PAGE.read_text() == write_reference.write_page(), "run: make reference"


@pytest.mark.parametrize("module", MODULES)
def test_all_names_what_is_there(module: str) -> None:
    names = importlib.import_module(module).__all__
    assert len(names) == len(set(names)) > 0
    for name in names:
        assert hasattr(importlib.import_module(module), name)


def test_every_public_name_says_what_it_is() -> None:
    page = write_reference.write_page()
    empty = re.findall(r"^### `(.*)`\n\n\n", page, re.MULTILINE)
    assert empty == []


def test_documents_import_public_names_alone() -> None:
    root = Path(write_reference.ROOT)
    for page in [root / "README.md", *(root / "docs").glob("*.md")]:
        for module in re.findall(r"^\s*(?:from|import) (django_wfe[\w.]*)", page.read_text(), re.MULTILINE):
            assert module in write_reference.MODULES, f"{page.name}: {module}"
