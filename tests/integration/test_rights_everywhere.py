"""Every address, action, export, call and command, as people with too few rights: they learn and change nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from django_wfe.engine.dispatcher import NullDispatcher, install_dispatcher
from django_wfe.models import BulkRun, Definition, Export, Job, JobEvent, Step, StepRun, Worker, Workflow
from tests.console import World, build_world, describe_database
from tests.hushed_workflows import HushedAsking, HushedFail, HushedFailing, HushedLinear, HushedPaused
from tests.rights_sweep import create_person, list_doors

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

FIRST_ID, UNKNOWN_ID = 700_000_000, 987_654_321
NAMES = re.compile("hushed|muffled", re.IGNORECASE)
DATA = re.compile("whispered", re.IGNORECASE)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = install_dispatcher(NullDispatcher())
    yield
    install_dispatcher(before)


@pytest.fixture
def hushed() -> Iterator[World]:
    """One of everything, for the auditors; beside it one of everything for everybody. Each id is met once in a page."""
    with counting_from(FIRST_ID):
        yield build_both()


@contextmanager
def counting_from(first: int) -> Iterator[None]:
    """Have the rows of each model begin with an id of its own."""
    before = {}
    with connection.cursor() as cursor:
        for place, model in enumerate((BulkRun, Definition, Export, Job, JobEvent, Step, StepRun, Workflow)):
            sequence = f"{model._meta.db_table}_id_seq"
            cursor.execute(f"SELECT last_value, is_called FROM {sequence}")
            before[sequence] = cursor.fetchone()
            cursor.execute("SELECT setval(%s, %s)", [sequence, first + place * 1_000_000])
        yield
        for sequence, (value, is_called) in before.items():
            cursor.execute("SELECT setval(%s, %s, %s)", [sequence, value, is_called])


def build_both() -> World:
    build_world()
    world = build_world(HushedAsking, HushedFailing, HushedLinear, HushedPaused)
    path = f"{HushedFail.__module__}.HushedFail"
    Worker.objects.update(lacks={path: "muffled: no module", "tests.workflows.Fetch": "no module named tests"})
    return world


def build_unknown(world: World) -> World:
    unknown = dict.fromkeys(world.ids, UNKNOWN_ID)
    return World({**unknown, "fingerprint": "f" * 64, "worker": "00000000-0000-4000-8000-000000000009"})


def list_codenames() -> set[str]:
    return set(Permission.objects.filter(content_type__app_label="django_wfe").values_list("codename", flat=True))


def blank_ids(text: str, world: World) -> str:
    shortened = str(world.get("fingerprint"))[:12]
    for value in sorted({shortened, *map(str, world.ids.values())}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", "ID", text)
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)
    return re.sub(r"\w*(sessionid|csrftoken)=[^;]*|(Expires|Content-Length): .*|>[^<]* ago<", "", text)


def find_difference(seen: str, missing: str) -> list[str]:
    """Give the first lines that differ."""
    lines = zip(seen.split("\n"), missing.split("\n"), strict=False)
    return next(([one, other] for one, other in lines if one != other), [])


def test_somebody_outside_the_group_meets_no_trace_of_what_is_for_the_group(hushed: World) -> None:
    outsider = create_person(*list_codenames(), groups=("clerks",))
    before, leaks = describe_database(), []
    for door in list_doors():
        answer = door.knock(outsider, hushed)
        if NAMES.search(answer.text) or DATA.search(answer.text):
            leaks.append((str(door), answer.status, NAMES.findall(answer.text)[:3]))
        if answer.status >= 500:
            leaks.append((str(door), answer.status, []))
    assert leaks == []
    assert describe_database() == before


def test_what_somebody_may_not_see_answers_as_what_there_is_not(hushed: World) -> None:
    outsider, unknown = create_person(*list_codenames(), groups=("clerks",)), None
    unknown = build_unknown(hushed)
    differing = []
    for door in list_doors():
        if not door.is_about_one or "worker" in str(door):
            continue
        seen, missing = door.knock(outsider, hushed), door.knock(outsider, unknown)
        texts = blank_ids(seen.text, hushed), blank_ids(missing.text, unknown)
        if seen.status != missing.status or texts[0] != texts[1]:
            differing.append((str(door), seen.status, missing.status, *find_difference(*texts)))
    assert differing == [], "\n".join(map(str, differing))
