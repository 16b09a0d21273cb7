"""Random bodies for every form of the admin: none is a fault of the server, and what is refused leaves no trace.

``WFE_JUNK_BODIES`` says how many each form gets (default: 10; the survey sends 2,000), ``WFE_JUNK_SEED`` where chance
begins.
"""

import datetime
import enum
import os
import random
from decimal import Decimal
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from django.db import transaction
from django.test import Client
from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, field_validator

from django_wfe import steps, workflows
from django_wfe.engine.lifecycle import provide_external_input, run_workflow
from django_wfe.models import Workflow
from tests.support.doors.console import (
    ADDRESSES,
    Address,
    World,
    build_world,
    describe_database,
    read_page,
    record,
    sign_in_superuser,
)
from tests.support.running.engine_helpers import get_last_run, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SEED = int(os.environ.get("WFE_JUNK_SEED", "1"))
FEW = int(os.environ.get("WFE_JUNK_BODIES", "10"))
MANY = int(os.environ.get("WFE_JUNK_BODIES", "100"))


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    model_config = ConfigDict(extra="allow")
    article: str = Field(max_length=20)
    price: Decimal = Decimal("1.50")
    colours: list[Colour] = []
    secret: SecretStr | None = None


class AskEverything(steps.Step):
    class UserInputSchema(BaseModel):
        model_config = ConfigDict(extra="allow")
        text: str = "a"
        letter: str = Field("", json_schema_extra={"format": "file"})
        raw: bytes = b"\xff"
        number: int | None = None
        share: float = 0.5
        amount: Decimal | None = None
        flag: bool | None = None
        day: datetime.date | None = None
        moment: datetime.datetime | None = None
        clock: datetime.time | None = None
        span: datetime.timedelta | None = None
        encoded: Json[list[int]] = Field("[]", validate_default=True)
        table: dict[str, int] = {}
        anything: Any = None
        colours: set[Colour] = set()
        lines: list[Line] = []
        line: Line | None = None
        names: list[list[str]] | None = None

        @field_validator("text")
        @classmethod
        def _check(cls, text: str) -> str:
            if "9" in text:
                raise LookupError(text)
            return text

    def execute(self, external_input=None):
        raise LookupError("no such tariff")


class EverythingAsking(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskEverything]}


INPUT = ("view_job", "provide_input_job")
FORMS = [
    *(address for address in ADDRESSES if address.posts),
    Address("django_wfe_workflow_start_many", ("everything",), posts=True),
    Address("django_wfe_job_input", ("asking",), INPUT, posts=True),
    Address("django_wfe_job_verb", ("failed_input", "retry"), posts=True),
]
TEXTS = [
    *("", " ", "\0", "a\0b", "\u202eevil", "\x1b[31m", "ß" * 1_001, "9" * 5_000, "-1", "1.5", "12,50", "1e999", "NaN"),
    *("2026-02-30", "20260131", "45000", "01:30", "0001-01-01T00:00", "9999-12-31T23:59:59-23:59", "P99999999999D"),
    *("[" * 5_000, '{"a":' * 300 + "1" + "}" * 300, "{" * 50, "[]", "{}", "null", '"\\ud800"', '"\\u0000"'),
    *('{"a":1,"a":2}', "given", "on", "0", "1", "2", "add:lines", "remove:lines-0", "add:", "add:names", "red"),
    *("<script>", "%s", "retry"),
]
FIELDS = [
    *("text", "letter", "raw", "number", "share", "amount", "flag", "day", "moment", "clock", "span", "encoded"),
    *("table", "anything", "colours", "lines", "line", "names", "_extra", "_structure", "lines-0", "lines-_text"),
    *("lines-0-article", "lines-0-colours", "lines-0-colours-0", "lines-0-secret", "lines-0-_extra"),
    *("line-article", "names-0", "names-0-0"),
]
OTHERS = [
    *("step_run", "reason", "expected_state", "expected_run", "key", "result", "transition", "number", "change_input"),
    *("jobs", "filter", "action", "holder", "confirmed", "file"),
    *("_draft", "_assign", "_take_over", "_next", "_submit"),
]


class Junk:
    """Makes bodies: most are nearly right, so that they come far."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def pairs(self, drawn: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
        """Return what a form would post, with some of it changed."""
        pairs = [pair for pair in drawn if self.chance.random() < 0.95]
        for _ in range(self.chance.randrange(1, 5)):
            kind = self.chance.random()
            name = f"input-{self.chance.choice(FIELDS)}" if kind < 0.6 else self.chance.choice(OTHERS)
            if kind > 0.9 and pairs:
                name = self.chance.choice(pairs)[0]
            pairs = [pair for pair in pairs if pair[0] != name or self.chance.random() < 0.2]
            pairs += [(name, self.text()) for _ in range(self.chance.choice([1, 1, 1, 2, 3]))]
        return [(name.encode(), self.spoil(text.encode())) for name, text in pairs]

    def text(self) -> str:
        """Return some text."""
        return self.chance.choice(TEXTS)

    def spoil(self, text: bytes) -> bytes:
        """Return the text, seldom with bytes that are none of UTF-8."""
        return text if self.chance.random() < 0.97 else text + self.chance.choice([b"\xff", b"\xed\xa0\x80", b"\xc3"])

    def body(self, drawn: list[tuple[str, str]]) -> tuple[bytes, str]:
        """Return a body and its content type."""
        pairs = self.pairs(drawn)
        if self.chance.random() < 0.5:
            coded = b"&".join(
                quote_from_bytes(name).encode() + b"=" + quote_from_bytes(text).encode() for name, text in pairs
            )
            return coded, self.chance.choice(["application/x-www-form-urlencoded"] * 9 + ["text/plain"])
        body = b""
        for name, text in pairs:
            is_file = name in (b"input-letter", b"file") or self.chance.random() < 0.03
            file_name = self.chance.choice([b"a.csv", b"a.json", b"a.xlsx", b"\xff"])
            file = b'; filename="' + file_name + b'"' if is_file else b""
            body += b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + file + b"\r\n\r\n" + text + b"\r\n"
        return body + (b"--x--\r\n" if self.chance.random() < 0.95 else b""), "multipart/form-data; boundary=x"


@pytest.fixture
def world() -> World:
    """The world of the console's tests, with a form that asks for everything."""
    built = build_world()
    record(EverythingAsking)
    asking, failed = run_workflow(EverythingAsking), run_workflow(EverythingAsking)
    provide_external_input(failed, {"lines": [{"article": "pen", "more": 1}], "letter": "Dear Ada"})
    assert run_ready(failed).state == "FAILED"
    own = {
        "everything": Workflow.objects.get(name="EverythingAsking").pk,
        "asking": asking,
        "asking_run": get_last_run(asking).pk,
        "failed_input": failed,
    }
    return World({**built.ids, **own})


def draw(client: Client, address: Address, world: World) -> list[tuple[str, str]]:
    """What the form of the address would post, as far as it has one."""
    job = address.arguments[0] if address.name == "django_wfe_job_verb" else ""
    known = list(world.fill(address.data, job).items())
    if not address.gets:
        return known
    pairs = []
    for form in read_page(client.get(address.build(world))).forms:
        if form.method == "post" and not form.action.endswith("/logout/"):
            pairs += [(name, value) for name, value in form.list_pairs(None) if isinstance(value, str)]
    return [pair for pair in pairs if pair[0] not in dict(known)] + known


def send(address: Address, world: World, many: int) -> None:
    client, junk = sign_in_superuser(), Junk(random.Random(f"{SEED} {address}"))
    drawn, before = draw(client, address, world), describe_database()
    for number in range(many):
        body, content_type = junk.body(drawn)
        with transaction.atomic():
            try:
                answer = client.generic("POST", address.build(world), body, content_type)
            except Exception as error:
                pytest.fail(f"body {number} of seed {SEED}: {type(error).__name__}: {error}; {body[:3000]!r}")
            assert answer.status_code in (200, 302, 400, 403, 404, 405), (number, answer.status_code, body[:3000])
            if answer.status_code == 302:
                shown = client.get(answer.headers["Location"])
                assert shown.status_code in (200, 302), (number, answer.headers["Location"], body[:3000])
            elif not _may_write(address, body):
                assert describe_database() == before, (number, body[:3000])
            transaction.set_rollback(True)


def _may_write(address: Address, body: bytes) -> bool:
    """Whether a page that is shown again may have written what it was told to, such as a claim."""
    return any(word in body for word in (b"_assign", b"_take_over", b"_release")) or address.name == "django_wfe_inbox"


@pytest.mark.parametrize("address", FORMS, ids=str)
def test_a_few_random_bodies_are_no_fault_of_the_server(address: Address, world: World) -> None:
    send(address, world, FEW)


@pytest.mark.survey
@pytest.mark.parametrize("address", FORMS, ids=str)
def test_many_random_bodies_are_no_fault_of_the_server(address: Address, world: World) -> None:
    send(address, world, MANY)
