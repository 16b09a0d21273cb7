"""Junk as arguments of ``wfe_job``: wrong usage or a refusal, never a traceback, and nothing is done."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_wfe.models import Job
from tests.support.doors.console import World, build_world, describe_database

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

NUMBERS = ["0", "-1", "9" * 20, "9" * 5_000, "x", "", "1.5"]
TEXTS = ["", "\0", "\ud800", "x" * 5_000, "9" * 5_000, "\x1b[31m", "%s", "-"]
JSON = ["", "{", "[" * 100_000, "[" * 300 + "]" * 300, "9" * 5_000, "NaN", '{"a": 1, "a": 2}', '"\\ud800"', "@", "@\0"]

CALLS: list[tuple[tuple[str, ...], list[str]]] = [
    (("show", "JUNK"), NUMBERS),
    (("list", "--limit", "JUNK"), NUMBERS),
    (("list", "--workflow", "JUNK"), TEXTS),
    (("list", "--incident", "JUNK"), ["\0", "\ud800"]),
    (("start", "JUNK"), TEXTS),
    (("start", "Asking", "--key", "JUNK"), ["", "\0", "\ud800", "x" * 300]),
    (("start", "Asking", "--first-input", "JUNK"), JSON),
    (("input", "waiting", "--data", "JUNK"), JSON),
    (("input", "JUNK", "--data", "1"), NUMBERS),
    (("skip", "failed", "--result", "JUNK"), JSON),
    (("skip", "failed", "--result", "1", "--transition", "JUNK"), ["-1", "9" * 20, "x", "9" * 5_000]),
    (("rerun", "failed", "--number", "JUNK"), NUMBERS),
    (("retry", "failed", "--value", "JUNK"), JSON),
    (("retry", "failed", "--external-data", "JUNK"), JSON),
    (("cancel", "JUNK"), NUMBERS),
    (("cancel", "finished", "--reason", "JUNK"), TEXTS),
    (("bulk", "JUNK"), NUMBERS),
    (("bulk", "JUNK", "--stop"), NUMBERS),
    (("pause-workflow", "JUNK"), TEXTS),
    (("show", "waiting", "--user", "JUNK"), TEXTS),
]


@pytest.fixture
def world() -> World:
    return build_world()


@pytest.mark.parametrize(("call", "junk"), CALLS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_junk_is_refused_and_does_nothing(call: tuple[str, ...], junk: list[str], world: World, capsys: Any) -> None:
    before = describe_database()
    for value in junk:
        arguments = [value if part == "JUNK" else str(world.get(part)) for part in call]
        with pytest.raises(CommandError) as refused:
            call_command("wfe_job", *arguments)
        assert "\x1b" not in str(refused.value)
        assert describe_database() == before, value[:40]
    assert Job.objects.count() == 4
