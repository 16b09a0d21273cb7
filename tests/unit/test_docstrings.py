"""Docstrings speak one dialect: imperative, with the verb that the field uses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import django_wfe

pytestmark = pytest.mark.unit

PACKAGE = Path(django_wfe.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
UNUSUAL = {"Tell", "Say", "Bring", "Mend"}
"""Verbs for which there is a usual one: Return, Check, Describe, Report, Fix."""

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def list_documented(path: Path) -> Iterator[tuple[Documented, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node, text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_of_functions_begin_with_the_usual_verb(path: Path) -> None:
    for node, text in list_documented(path):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = text.split(maxsplit=1)[0]
        place = f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}: {first}"
        assert first not in UNUSUAL, f"{place}: use the usual verb"
        if first == "Give" and node.returns is not None and ast.unparse(node.returns) != "None":
            assert re.match(r"Give (back|up|a) ", text), f"{place}: write Return"
        assert not re.fullmatch(r"(Give|Return|Tell|Yield|Read|Write|Make|Take|Raise)s", first), f"{place}: imperative"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_first_line_is_a_sentence(path: Path) -> None:
    for node, text in list_documented(path):
        paragraph = " ".join(text.split("\n\n")[0].split())
        assert re.search(r"[.!?:]\"?\)?$", paragraph), (
            f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 1)}: {text}"
        )


def test_there_are_docstrings() -> None:
    assert sum(1 for path in FILES for _ in list_documented(path)) > 2_000
