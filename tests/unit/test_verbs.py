"""What makes a class a verb, and what ``register`` refuses with the cure."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils.module_loading import import_string
from pydantic import BaseModel, ValidationError

import django_wfe
from django_wfe.engine.lifecycle import VERBS
from django_wfe.engine.operations.verbs.registry import list_actions, list_names
from django_wfe.models import JobEvent
from django_wfe.verbs import BulkVerb, Entry, Finding, Situation, Verb, find_verb, register, unregister

pytestmark = pytest.mark.unit

PACKAGE = Path(django_wfe.__file__).parent
REPAIRS = {"admin/incidents/stages.py", "admin/incidents/repairs.py"}
"""The repair of an incident is a retry: it names that verb."""


class Ping(Verb):
    """Say that somebody has looked."""

    name = "ping"
    label = "Ping"
    permission = "shop.ping"


class Options(BaseModel):
    times: int = 1


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = list_names()
    yield
    for name in set(list_names()) - set(before):
        unregister(name)


def make(**members: Any) -> type[Verb]:
    return type("Made", (Ping,), members)


def test_a_class_is_registered_once_and_found_by_its_name() -> None:
    assert register(Ping) is Ping
    assert isinstance(find_verb("ping"), Ping)
    assert list(VERBS)[-1] == "ping", "a page shows it after the engine's own"
    register(Ping)
    assert list(VERBS).count("ping") == 1
    unregister("ping")
    assert find_verb("ping") is None


def test_the_words_of_its_history_are_those_of_its_class() -> None:
    register(make(event="pinged", event_words="pinged by phone"))
    assert JobEvent(kind="pinged").get_kind_display() == "pinged by phone"
    unregister("ping")
    assert JobEvent(kind="pinged").get_kind_display() == "pinged"
    assert JobEvent(kind="retried").get_kind_display() == "retried"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"name": ""}, "Made.name is ''"),
        ({"name": "Ping"}, "small letters"),
        ({"name": "p" * 33}, "1 to 32"),
        ({"name": "cancel"}, "'cancel', which is taken"),
        ({"name": "history"}, "'history', which is taken"),
        ({"label": ""}, "Made.label is empty"),
        ({"permission": "ping"}, '"app.codename"'),
        ({"event": "failed"}, "the engine writes itself"),
        ({"event": "p" * 33}, "at most 32 characters"),
        ({"Options": type("Made", (BaseModel,), {"__annotations__": {"reason": str}})}, "Made.Options.reason"),
    ],
)
def test_what_cannot_be_a_verb_is_refused_by_name(members: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told.replace(".", r"\.")):
        register(make(**members))
    assert list(VERBS) == ["retry", "skip", "rerun", "pause", "resume", "cancel"]


def test_what_is_no_verb_at_all_is_refused() -> None:
    with pytest.raises(TypeError, match="is not a verb"):
        register(Options)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="give a pydantic model class"):
        register(make(Options=dict))


def test_the_engines_own_cannot_be_taken_out() -> None:
    with pytest.raises(ValueError, match="'cancel' is not a verb that was registered"):
        unregister("cancel")


def test_each_verb_of_the_engine_has_words_for_all_that_it_finds() -> None:
    situations = [
        Situation(state=state, has_running=has_running, is_history=is_history)
        for state in ("PENDING", "ONGOING", "INPUT_REQUIRED", "WAITING", "FAILED", "PAUSED", "FINISHED", "CANCELED")
        for has_running in (True, False)
        for is_history in (True, False)
    ]
    for verb in VERBS.values():
        found = {finding.code for situation in situations if (finding := verb.refuse(situation)) is not None}
        assert found == set(verb.refusals), verb.name
        assert all(text.endswith(".") for text in (str(text) for text in verb.effects.values()))
        assert verb.summary
        assert type(verb).__doc__


def test_the_pages_that_the_engines_own_name_are_there() -> None:
    for name in ("retry", "skip", "rerun"):
        assert callable(import_string(VERBS[name].page))


def test_the_list_offers_the_actions_by_their_names() -> None:
    register(make(is_action=True))
    assert list(list_actions()) == ["cancel", "pause", "ping", "resume", "retry"]
    assert VERBS["ping"].say_action() == "Ping: selected jobs"


def test_options_are_validated_and_unknown_ones_named() -> None:
    verb = make(Options=Options)()
    assert verb.read_options({"times": "3"}).times == 3
    assert verb.read_options({}).times == 1
    with pytest.raises(ValidationError):
        verb.read_options({"times": "often"})
    with pytest.raises(TypeError, match=r"takes no option 'time'\. Its options: times"):
        verb.read_options({"time": 3})
    assert Ping().read_options({}) is None
    with pytest.raises(TypeError, match="Its options: none"):
        Ping().read_options({"times": 3})


def test_what_a_class_leaves_out_is_told_by_its_name() -> None:
    with pytest.raises(NotImplementedError, match=r"Ping\.perform\(\)"):
        Ping().perform(None, None)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match=r"BulkVerb\.apply_to_entry\(\)"):
        BulkVerb().apply_to_entry(None, actor=None, source="", reason="")  # type: ignore[arg-type]
    assert Ping().foresee(Situation(state="FAILED", has_running=False)) == Finding("done")


@pytest.mark.parametrize("given", [{}, {"job_id": 1, "key": "one"}])
def test_an_entry_is_a_job_or_a_key(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give one of them"):
        Entry(**given)


def test_no_door_knows_a_verb_by_its_name() -> None:
    naming = {
        str(path.relative_to(PACKAGE))
        for room in ("admin", "api", "management", "engine/bulk")
        for path in (PACKAGE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in VERBS
    }
    assert naming == REPAIRS, "ask the class of the verb: a project's own has another name"


def test_a_page_function_calls_its_admin_model_admin() -> None:
    others = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in (PACKAGE / "admin").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.arg) and node.arg in ("admin", "admin_of")
    ]
    assert others == []
