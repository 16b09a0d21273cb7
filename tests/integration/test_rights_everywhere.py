"""Every address, action, export, call and command, as people with too few rights: they learn and change nothing."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import QuerySet

from django_wfe.engine.delivery.dispatcher import NullDispatcher, install_dispatcher
from django_wfe.engine.lifecycle import provide_external_input, retry_job, run_workflow, save_draft, start_bulk
from django_wfe.models import BulkRun, Definition, Export, Job, JobEvent, Step, StepRun, Worker, Workflow
from django_wfe.policies import Policy
from tests.declared.hushed_workflows import HushedAsking, HushedFail, HushedFailing, HushedLinear, HushedPaused
from tests.support.doors.console import World, build_world
from tests.support.doors.rights_sweep import Answer, Door, create_person, list_doors

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

FIRST_ID, UNKNOWN_ID = 700_000_000, 987_654_321
CORE = r"^REST (GET|POST (bulk|workflows|jobs/\{job\}/cancel))|^export|wfe_job (show|bulk|list)|worker_change|console"
"""The doors that are tried every time; a survey tries all."""

NAMES = re.compile("hushed|muffled", re.IGNORECASE)
DATA = re.compile("whispered", re.IGNORECASE)


DOORS = pytest.mark.parametrize(
    "doors",
    [pytest.param(".", id="all", marks=pytest.mark.survey), pytest.param(CORE, id="core")],
)


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
    answer_and_draft()
    path = f"{HushedFail.__module__}.HushedFail"
    Worker.objects.update(lacks={path: "muffled: no module", "tests.workflows.Fetch": "no module named tests"})
    return world


def answer_and_draft() -> None:
    """Have people type what only those may see who may see data: as an answer, a draft, an edited input, an option."""
    clerk = create_person("provide_input_job", groups=("auditors",))
    waiting = StepRun.objects.filter(state="INPUT_REQUIRED", job__workflow__name="HushedAsking").order_by("pk")
    save_draft(waiting[0].pk, {"hushed_field": "whispered draft"}, clerk)
    answered = run_workflow(HushedAsking)
    provide_external_input(answered, {"some_data": 1, "hushed_field": "whispered answer"})
    failed = run_workflow(HushedFailing)
    retry_job(failed, value={"rows": "whispered input"})
    start_bulk("skip", Job.objects.filter(pk=failed), options={"result": "whispered option"})


def describe_rows_of_group() -> Any:
    jobs = Job.objects.filter(workflow__groups__contains=["auditors"])
    return list(jobs.order_by("pk").values()), list(Workflow.objects.order_by("pk").values())


def build_unknown(world: World) -> World:
    unknown = dict.fromkeys(world.ids, UNKNOWN_ID)
    return World({**unknown, "fingerprint": "f" * 64, "worker": "00000000-0000-4000-8000-000000000009"})


def list_codenames() -> set[str]:
    return set(Permission.objects.filter(content_type__app_label="django_wfe").values_list("codename", flat=True))


def blank_ids(text: str, world: World) -> str:
    shortened = str(world.get("fingerprint"))[:12]
    for value in sorted({shortened, *map(str, world.ids.values())}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", "ID", text)
    text = re.sub(r'name="(csrfmiddlewaretoken|filter)" value="[^"]+"', "", text)
    return re.sub(r"\w*(sessionid|csrftoken)=[^;]*|(Expires|Content-Length): .*|>(?:now|[^<]* ago)<", "", text)


def find_difference(seen: str, missing: str) -> list[str]:
    """Give the first lines that differ."""
    lines = zip(seen.split("\n"), missing.split("\n"), strict=False)
    return next(([one, other] for one, other in lines if one != other), [])


def survey(hushed: World, user: User | None, doors: str, judge: Callable[[Answer], object]) -> None:
    """Knock at the doors whose names match, and expect that ``judge`` finds nothing at any."""
    found = []
    for door in list_doors():
        if re.search(doors, str(door)) and (user is not None or not door.command):
            answer = door.knock(user, hushed)
            complaint = answer.status if answer.status >= 500 else judge(answer)
            if complaint:
                found.append((str(door), answer.status, complaint))
    assert found == [], "\n".join(map(str, found))


@DOORS
def test_nobody_and_people_without_rights_learn_and_change_nothing(hushed: World, doors: str) -> None:
    open_names = re.compile(f"{NAMES.pattern}|{DATA.pattern}|Asking|Failing", re.IGNORECASE)
    guest = create_person(*list_codenames(), groups=("auditors",), is_staff=False)
    for user, names, doors_of_user in (
        (None, open_names, doors),
        (create_person(groups=("auditors",)), open_names, doors),
        (guest, open_names, f"(?=.*({doors}))^(GET|POST|action|export)"),
    ):
        survey(hushed, user, doors_of_user, lambda answer, names=names: answer.changed or answer.holds(names))


@DOORS
def test_who_may_only_look_changes_nothing(hushed: World, doors: str) -> None:
    views = {name for name in list_codenames() if name.startswith("view_")} - {"view_job_data"}
    viewer = create_person(*views, groups=("auditors",))
    survey(hushed, viewer, doors, lambda answer: answer.changed or answer.holds(DATA))


@DOORS
def test_who_may_not_see_data_meets_none_of_it(hushed: World, doors: str) -> None:
    operator = create_person(*list_codenames() - {"view_job_data"}, groups=("auditors",))
    survey(hushed, operator, doors, lambda answer: answer.holds(DATA))


@DOORS
def test_somebody_outside_the_group_meets_no_trace_of_what_is_for_the_group(hushed: World, doors: str) -> None:
    outsider = create_person(*list_codenames(), groups=("clerks",))
    before = describe_rows_of_group()
    survey(hushed, outsider, doors, lambda answer: answer.holds(NAMES) or answer.holds(DATA))
    assert describe_rows_of_group() == before


@DOORS
def test_the_group_meets_the_names_and_who_may_see_data_the_data(hushed: World, doors: str) -> None:
    """What is looked for is there to be found."""
    auditor = create_person(*list_codenames(), groups=("auditors",))
    answers = {str(door): door.knock(auditor, hushed) for door in list_doors() if re.search(doors, str(door))}
    assert sum(bool(answer.holds(NAMES)) for answer in answers.values()) > len(answers) / 2
    assert sum(bool(answer.holds(DATA)) for answer in answers.values()) >= 5
    assert sum(answer.changed for answer in answers.values()) >= (30 if doors == "." else 5)
    for door in ("export steprun 0 1", "REST GET jobs", "wfe_job show {failed}"):
        assert answers[door].holds(DATA), door


class HidingPolicy(Policy):
    """Shows no Job of the group's Workflows, to superusers either."""

    def visible(self, actor: User, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.exclude(workflow__groups__contains=["auditors"])


class ForbiddingPolicy(Policy):
    """Shows all, and lets nobody do anything."""

    def may(self, actor: User, verb: str, job: Job) -> bool:
        return False


def list_hidden_ids(world: World, door: Door) -> re.Pattern[str]:
    """Give what matches the ids of the group's jobs and of all about them, but those that the door itself names."""
    jobs = Job.objects.filter(workflow__groups__contains=["auditors"])
    ids = set(jobs.values_list("pk", flat=True)) | set(jobs.values_list("uuid", flat=True))
    for rows in (StepRun.objects.filter(job__in=jobs), JobEvent.objects.filter(job__in=jobs)):
        ids |= set(rows.values_list("pk", flat=True))
    ids.add(world.get("bulk_run"))
    named = {world.get(name) for name in re.findall(r"\{(\w+)\}", repr(door)) if name in world.ids}
    return re.compile(rf"\b({'|'.join(map(str, ids - named))})\b")


@DOORS
def test_a_policy_hides_jobs_from_superusers_at_every_door(hushed: World, doors: str, settings) -> None:
    settings.WFE_POLICY = f"{__name__}.HidingPolicy"
    user = User.objects.create_superuser("root")
    before, unknown, found = describe_rows_of_group()[0], build_unknown(hushed), []
    for door in list_doors():
        if not re.search(doors, str(door)):
            continue
        answer = door.knock(user, hushed)
        if answer.status >= 500 or answer.holds(DATA) or answer.holds(list_hidden_ids(hushed, door)):
            found.append((str(door), answer.status, answer.holds(DATA), answer.holds(list_hidden_ids(hushed, door))))
        names = set(re.findall(r"\{(\w+)\}", repr(door))) & set(hushed.ids)
        if names and not names & {"workflow", "definition", "step", "paused_workflow", "worker"}:
            missing = door.knock(user, unknown)
            texts = blank_ids(answer.text, hushed), blank_ids(blank_ids(missing.text, unknown), hushed)
            if answer.changed or answer.status != missing.status or texts[0] != texts[1]:
                found.append((str(door), answer.status, missing.status, *find_difference(*texts)))
    assert found == [], "\n".join(map(str, found))
    assert describe_rows_of_group()[0] == before


@DOORS
def test_a_policy_forbids_superusers_what_they_may_otherwise(hushed: World, doors: str, settings) -> None:
    settings.WFE_POLICY = f"{__name__}.ForbiddingPolicy"
    user, found = User.objects.create_superuser("root"), []
    # A Workflow is not a Job; a bulk run is started, and asks for each Job when its turn comes.
    about_many = r"workflow.*(pause|resume)|(pause|resume)-workflow|bulk|repair|incident_verb|action .* all|--stop"
    for door in list_doors():
        if re.search(doors, str(door)) and not re.search(about_many, str(door)):
            answer = door.knock(user, hushed)
            if answer.status >= 500 or answer.changed or answer.holds(DATA):
                found.append((str(door), answer.status, answer.changed, answer.holds(DATA)))
    assert found == [], "\n".join(map(str, found))


@DOORS
def test_what_somebody_may_not_see_answers_as_what_there_is_not(hushed: World, doors: str) -> None:
    outsider = create_person(*list_codenames(), groups=("clerks",))
    unknown, differing = build_unknown(hushed), []
    for door in list_doors():
        if not door.is_about_one or re.search("worker", str(door)) or not re.search(doors, str(door)):
            continue
        closed, missing = door.knock(outsider, hushed), door.knock(outsider, unknown)
        texts = blank_ids(closed.text, hushed), blank_ids(missing.text, unknown)
        if closed.status != missing.status or texts[0] != texts[1]:
            differing.append((str(door), closed.status, missing.status, *find_difference(*texts)))
    assert differing == [], "\n".join(map(str, differing))
