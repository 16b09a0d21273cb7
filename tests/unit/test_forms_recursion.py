"""Schemas that hold themselves, and root models."""

from typing import Annotated, Optional

import pytest
from pydantic import BaseModel, Field, RootModel

from django_wfe.forms import build_input_form
from tests.support.forms.forms_browser import read_form

pytestmark = pytest.mark.unit


class Node(BaseModel):
    name: str
    children: list["Node"] = []


class Twin(BaseModel):
    left: Optional["Twin"] = None
    right: Optional["Twin"] = None
    other: Optional["Twin"] = None
    last: Optional["Twin"] = None
    extra: Optional["Twin"] = None
    final: Optional["Twin"] = None


class Tree(RootModel[dict[str, "Tree"]]):
    pass


class TestRecursion:
    def test_a_recursive_model_ends_in_json(self) -> None:
        keys = {f"{'children-0-' * depth}children": "0" for depth in range(4)}
        names = {f"{'children-0-' * depth}name": "x" for depth in range(5)}
        deepest = f"{'children-0-' * 4}children"
        form = build_input_form(Node)({**keys, **names, deepest: '[{"name": "y"}]'})
        assert form.is_valid(), form.errors
        inner = form.external_data
        for _depth in range(4):
            inner = inner["children"][0]
        assert inner == {"name": "x", "children": [{"name": "y"}]}

    def test_a_model_that_would_unfold_into_thousands_of_inputs_unfolds_less(self) -> None:
        form = build_input_form(Twin)()
        assert len(form.fields) <= 400
        assert form.fields

    def test_a_recursive_root_model_is_json(self) -> None:
        form = build_input_form(Tree)({"root": '{"a": {"b": {}}}'})
        assert form.is_valid(), form.errors
        assert form.external_data == {"a": {"b": {}}}


class TestRootModels:
    def test_a_root_model_gives_its_bare_value(self) -> None:
        class Numbers(RootModel[list[Annotated[int, Field(ge=0)]]]):
            pass

        form = build_input_form(Numbers)({"root": ["0", "1"], "root-0": "1", "root-1": "-2"})
        assert list(form.errors) == ["root-1"]
        form = build_input_form(Numbers)({"root": ["0"], "root-0": "1"})
        assert form.is_valid(), form.errors
        assert form.external_data == [1]

    def test_a_root_model_in_a_model_is_as_its_value(self) -> None:
        class Percent(RootModel[Annotated[int, Field(le=100)]]):
            pass

        class Share(BaseModel):
            percent: Percent

        form_class = build_input_form(Share)
        assert ("percent", "7") in read_form(form_class(initial={"percent": Percent(7)})).posted
        assert list(form_class({"percent": "101"}).errors) == ["percent"]
        form = form_class({"percent": "100"})
        assert form.is_valid(), form.errors
        assert form.external_data == {"percent": 100}
