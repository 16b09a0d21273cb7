"""Keys, errors and logs that hold control characters and turns of direction, on every page and in the terminal."""

import io
import json
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_wfe.engine.lifecycle import pause_job, run_workflow
from django_wfe.models import Job, JobLog, StepRun
from django_wfe.values.visible_text import TURNS
from tests.support.doors.console import ADDRESSES, Address, World, build_world, record, sign_in_superuser
from tests.workflows import Asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

EVIL = "\x1b[2J\x1b]0;title\x07 \u202egnp.exe \x9b31m"
PAGES = [address for address in ADDRESSES if address.gets and address.is_page]
CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@pytest.fixture
def world() -> World:
    """A job of every kind, into each of which somebody wrote the same."""
    world = build_world()
    Job.objects.update(error=EVIL)
    for job in Job.objects.all():
        Job.objects.filter(pk=job.pk).update(key=f"{job.pk} {EVIL}")
    StepRun.objects.filter(state="FAILED").update(error=EVIL, error_type=EVIL[:60], traceback=EVIL)
    StepRun.objects.filter(state="FINISHED").update(result={EVIL: [EVIL]})
    JobLog.objects.create(step_run_id=world.get("failed_run"), sequence=99, text=EVIL)
    pause_job(run_workflow(record(Asking)), reason=EVIL)
    return world


def find_open_turns(html: str) -> list[str]:
    """Return the texts of a page in which a direction that is turned does not end."""
    texts = [text for text in re.split(r"<[^>]*>", html) if set(TURNS) & set(text)]
    return [text for text in texts if text.count("\u202e") != text.count("\u202c")]


@pytest.mark.parametrize("address", PAGES, ids=str)
def test_no_page_has_a_control_character_or_a_turn_that_goes_on(address: Address, world: World) -> None:
    response = sign_in_superuser().get(address.build(world), follow=True)
    html = response.content.decode()
    assert not CONTROLS.search(html)
    assert find_open_turns(html) == []


def test_the_page_of_a_job_shows_what_was_written(world: World) -> None:
    html = sign_in_superuser().get(f"/admin/django_wfe/job/{world.get('failed')}/change/").content.decode()
    assert "␛[2J␛]0;title␇" in html
    assert re.search(r"<bdi>[^<]*\u202egnp\.exe[^<]*\u202c</bdi>", html)


def print_command(*arguments: Any) -> str:
    output, errors = io.StringIO(), io.StringIO()
    try:
        call_command(*map(str, arguments), stdout=output, stderr=errors, no_color=True)
    except CommandError as error:
        errors.write(str(error))
    return output.getvalue() + errors.getvalue()


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        ("wfe_job", "show", "failed"),
        ("wfe_job", "show", "paused"),
        ("wfe_job", "list"),
        ("wfe_job", "bulk", "bulk_run"),
        ("wfe_job", "pause", "finished", "--reason", EVIL),
        ("wfe_job", "start", EVIL),
        ("wfe_job", "skip", "failed", "--result", EVIL),
        ("wfe_doctor", "failed"),
        ("wfe_doctor",),
    ],
    ids=" ".join,
)
def test_no_command_prints_what_acts_in_a_terminal(command: tuple[str, ...], world: World, *, as_json: bool) -> None:
    printed = print_command(*map(world.get, command), *(["--json"] if as_json else []))
    assert printed
    assert not CONTROLS.search(printed)
    assert not set(TURNS) & set(printed)


def test_what_is_printed_as_json_has_the_value_that_was_written(world: World) -> None:
    shown = json.loads(print_command("wfe_job", "show", world.get("failed"), "--json"))
    assert shown["error"] == EVIL
    assert shown["key"].endswith(EVIL)
