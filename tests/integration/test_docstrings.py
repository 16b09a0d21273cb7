"""Docstrings speak one dialect: imperative, with the verb that the field uses."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import django_wfe

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

PACKAGE = Path(django_wfe.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
UNUSUAL = {"Tell", "Say", "Bring", "Mend"}
"""Verbs for which there is a usual one: Return, Check, Describe, Report, Fix."""

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


@cache
def list_documented() -> list[tuple[str, Documented, str]]:
    """Return the place, the node and the text of each docstring."""
    return [
        (f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 1)}", node, text)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, Documented) and (text := ast.get_docstring(node))
    ]


def find_wrong_verb(node: Documented, text: str) -> str:
    """Return what to do about the first word of a function's docstring, or ""."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    first = text.split(maxsplit=1)[0]
    if first in UNUSUAL:
        return "use the usual verb"
    returns = node.returns is not None and ast.unparse(node.returns) != "None"
    if first == "Give" and returns and not re.match(r"Give (back|up|a) ", text):
        return "write Return"
    if re.fullmatch(r"(Give|Return|Tell|Yield|Read|Write|Make|Take|Raise)s", first):
        return "write the imperative"
    return ""


def test_there_are_docstrings() -> None:
    assert len(list_documented()) > 2_000


def test_docstrings_of_functions_begin_with_the_usual_verb() -> None:
    wrong = [
        f"{place} {text[:40]}: {cure}"
        for place, node, text in list_documented()
        if (cure := find_wrong_verb(node, text))
    ]
    assert wrong == []


def test_the_first_line_is_a_sentence() -> None:
    first_paragraphs = [(place, " ".join(text.split("\n\n")[0].split())) for place, _node, text in list_documented()]
    assert [one for one in first_paragraphs if not re.search(r"[.!?:]\"?\)?$", one[1])] == []


def test_a_wrong_verb_is_found() -> None:
    (function,) = ast.parse("def count() -> int: ...").body
    assert isinstance(function, ast.FunctionDef)
    assert find_wrong_verb(function, "Give the number.") == "write Return"
    assert find_wrong_verb(function, "Returns the number.") == "write the imperative"
    assert find_wrong_verb(function, "Tell the number.") == "use the usual verb"
    assert find_wrong_verb(function, "Return the number.") == ""
