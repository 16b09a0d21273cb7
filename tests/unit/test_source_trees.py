"""Sources that are read while other threads disturb Python's parser."""

import ast
import inspect
import threading
import traceback
from typing import Any

import pytest

from django_wfe.definition import source_trees
from django_wfe.definition.near_misses import find_repeated_keys
from django_wfe.definition.source_trees import TRIES, parse, read_source, read_tree
from django_wfe.engine.errors.tracebacks import format_traceback
from django_wfe.engine.project_code import code_versions
from django_wfe.steps import Step
from django_wfe.workflows import Workflow

MISMATCH = "AST constructor recursion depth mismatch (before=57, after=51)"


class Pack(Step):
    def execute(self, _input: Any = None, external_data: Any = None) -> None:
        return None


class Shipping(Workflow):
    DIGRAPH = {Pack: []}


class Disturbance:
    """Fails so many calls as another thread in the parser would, then lets them through."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.parse = ast.parse

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.times:
            self.times -= 1
            raise SystemError(MISMATCH)
        return self.parse(*args, **options)


def test_a_source_is_read_again_until_nobody_disturbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ast, "parse", Disturbance(TRIES - 1))
    tree = read_tree(Pack)
    assert isinstance(tree, ast.ClassDef)
    assert tree.name == "Pack"


def test_a_workflow_whose_source_is_never_to_be_had_has_no_repeated_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ast, "parse", Disturbance(10 * TRIES))
    assert read_tree(Shipping) is None
    assert list(find_repeated_keys(Shipping)) == []


def test_a_class_is_told_from_others_by_its_name_where_its_source_is_not_to_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(declared: Any) -> str:
        raise SystemError(MISMATCH)

    monkeypatch.setattr(inspect, "getsource", fail)
    assert code_versions._get_text(Shipping) == f"{__name__}.Shipping"


def test_what_is_no_python_is_an_error_at_once() -> None:
    with pytest.raises(SyntaxError):
        parse("class :")
    assert read_source(int) is None


def test_a_traceback_is_written_as_python_writes_it_though_another_thread_disturbs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python's traceback module parses the line of each frame, from 3.11 on."""
    try:
        ({}["missing"])
    except KeyError as error:
        location = error.__traceback__
        monkeypatch.setattr("traceback.TracebackException", DisturbedDescription(2))
        text = format_traceback(error, location)
    assert text.endswith("KeyError: 'missing'\n")
    assert "not as Python describes it" not in text


class DisturbedDescription(Disturbance):
    def __init__(self, times: int) -> None:
        super().__init__(times)
        self.parse = traceback.TracebackException


def test_threads_read_their_sources_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = 0, 0
    guard = threading.Lock()
    original = inspect.getsource

    def watch(declared: Any) -> str:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        text = original(declared)
        with guard:
            inside -= 1
        return text

    monkeypatch.setattr(source_trees.inspect, "getsource", watch)
    ready = threading.Barrier(4)
    found: list[str | None] = []

    def read() -> None:
        ready.wait()
        found.extend(read_source(Shipping) for _ in range(20))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(found) == 80
    assert set(found) == {original(Shipping)}
