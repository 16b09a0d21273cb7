"""Random bodies and query strings for every call of the REST API: none is a fault of the server, none leaves a trace.

``WFE_JUNK_BODIES`` says how many each call gets (default: 25; the survey sends 2,000), ``WFE_JUNK_SEED`` where chance
begins.
"""

import json
import os
import random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from django_wfe import order_workflow_execution
from django_wfe.engine.lifecycle import pause_job, pause_workflow, run_workflow, start_bulk
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent, StepRun, Workflow
from tests.declared.api_hostile_workflows import AnythingFlow, DefaultRaisesFlow, ValidatorRaisesFlow
from tests.declared.api_workflows import AskingFlow, BreakingFlow, PlainFlow
from tests.declared.job_input_workflows import Refund
from tests.support.doors.api_calls import CALLS, PREFIX, Call, record, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SEED = int(os.environ.get("WFE_JUNK_SEED", "1"))
FEW = int(os.environ.get("WFE_JUNK_BODIES", "25"))
MANY = int(os.environ.get("WFE_JUNK_BODIES", "200"))
POSTS = [call for call in CALLS if call.method == "POST"]
GETS = [call for call in CALLS if call.method == "GET"]
FIELDS = [
    *(
        "workflow_id",
        "key",
        "input",
        "first_input",
        "reason",
        "expected_state",
        "expected_step_run",
        "external_data",
        "value",
    ),
    *(
        "result",
        "transition",
        "number",
        "state",
        "workflow",
        "incident",
        "verb",
        "jobs",
        "filter",
        "options",
        "preview",
    ),
    *("stop_on_fingerprint", "some_data", "day", "items", "name", "price", "anything", "order", "lines"),
]
WORDS = [
    "",
    "FAILED",
    "INPUT_REQUIRED",
    "retry",
    "skip",
    "\0",
    "\ud800",
    "\u202eevil",
    "\x1b[31m",
    "9" * 5_000,
    "-1",
    "1e999",
    "2026-02-30",
    "x" * 300,
    "[" * 300,
    "{}",
    "null",
    "<script>",
    "%s%n",
    "ß" * 1_001,
    "true",
    "NaN",
]
NUMBERS = [0, 1, -1, 2**31, 2**63, 2**70, 10**4_000, 0.1, 1e308, -0.0]
CONTENT_TYPES = [
    *["application/json"] * 12,
    "application/json; charset=utf-7",
    "application/json; charset=bz2_codec",
    *["application/x-www-form-urlencoded"] * 4,
    "application/x-www-form-urlencoded; charset=nonsense",
    *["multipart/form-data; boundary=x"] * 4,
    "multipart/form-data",
    "text/plain",
    "",
    "nonsense",
]
QUERIES = ["state", "workflow", "page_size", "cursor", "step_run", "format", "o", "p", "q", "ordering", "\ud800", ""]


class Junk:
    """Makes bodies: most are nearly right, so that they come far."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def value(self, depth: int = 0) -> Any:
        """Return some value."""
        kind = self.chance.randrange(10 if depth < 4 else 6)
        if kind < 3:
            return self.chance.choice(WORDS)
        if kind < 5:
            return self.chance.choice(NUMBERS)
        if kind < 6:
            return self.chance.choice([None, True, False])
        if kind < 8:
            return [self.value(depth + 1) for _ in range(self.chance.randrange(4))]
        return self.record(depth + 1)

    def record(self, depth: int = 0) -> dict[str, Any]:
        """Return an object whose keys are mostly those of some call."""
        keys = [self.chance.choice(FIELDS if self.chance.random() < 0.8 else WORDS) for _ in range(4)]
        return {key: self.value(depth) for key in keys[: self.chance.randrange(5)]}

    def text(self, example: Any) -> bytes:
        """Return the body of a call that takes ``example``."""
        body: Any = {**example, **self.record()} if self.chance.random() < 0.8 else self.value()
        text = json.dumps(body)
        kind = self.chance.random()
        if kind < 0.08:
            text = text[: self.chance.randrange(len(text) + 1)]
        elif kind < 0.12:
            text = text.replace(",", self.chance.choice([",,", ",NaN,", "[" * 500, '"', "\\"]))
        raw = text.encode(errors="surrogatepass")
        if self.chance.random() < 0.05:
            raw += self.chance.randbytes(4)
        return raw

    def form(self, example: Any) -> bytes:
        """Return a form with fields of that call."""
        fields = {**{key: json.dumps(value) for key, value in example.items()}, **self.record()}
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
        return urlencode(texts, errors="surrogatepass").encode()

    def parts(self, example: Any) -> bytes:
        """Return a form in parts, some of which are files."""
        body = b""
        for key, value in {**example, **self.record()}.items():
            name = key.replace('"', "").encode(errors="surrogatepass")
            file = b'; filename="a.txt"' if self.chance.random() < 0.1 else b""
            text = json.dumps(value).encode()
            body += b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + file + b"\r\n\r\n" + text + b"\r\n"
        return body + (b"--x--\r\n" if self.chance.random() < 0.9 else b"")


@pytest.fixture
def names() -> dict[str, int]:
    """The ids that the addresses of the calls are filled with."""
    for workflow in (AskingFlow, BreakingFlow, PlainFlow, AnythingFlow, DefaultRaisesFlow, ValidatorRaisesFlow):
        record(workflow)
    job, paused = (run_workflow(AskingFlow) for _ in range(2))
    failed = run_workflow(BreakingFlow)
    pause_job(paused)
    held = Workflow.objects.get(name="PlainFlow").pk
    pause_workflow(held)
    bulk = start_bulk("cancel", Job.objects.filter(pk=paused)).pk
    workflow = Workflow.objects.get(name="AskingFlow").pk
    return {"job": job, "paused": paused, "failed": failed, "held": held, "bulk": bulk, "workflow": workflow, "step": 1}


def describe_rows() -> Any:
    return (
        list(Job.objects.order_by("pk").values()),
        list(StepRun.objects.order_by("pk").values_list("pk", "state", "external_data", "result", "superseded")),
        list(Workflow.objects.order_by("pk").values_list("pk", "paused", "pause_reason")),
        list(BulkRun.objects.order_by("pk").values()),
        BulkItem.objects.count(),
        JobEvent.objects.count(),
    )


def send_junk(call: Call, names: dict[str, int], number: int) -> None:
    client = sign_in_superuser()
    junk = Junk(random.Random(f"{SEED} {call}"))
    example = {key: names.get(str(value).strip("{}"), value) for key, value in (call.body or {}).items()}
    before, taken = describe_rows(), 0
    for turn in range(number):
        content_type = junk.chance.choice(CONTENT_TYPES)
        write = junk.parts if "multipart" in content_type else junk.form if "urlencoded" in content_type else junk.text
        body = write(example)
        with transaction.atomic():
            response = send(client, call, names, body, content_type)
            told = (turn, response.status_code, content_type, body[:300])
            assert response.status_code < 500, told
            if response.status_code >= 300:
                assert response.json()["detail"], told
                assert describe_rows() == before, told
            else:
                taken += 1
            # What is right by chance is undone, so that the next finds the job as it was.
            transaction.set_rollback(True)
    assert taken < number, "Nothing was refused: this is not junk."


def send(client: APIClient, call: Call, names: dict[str, int], body: bytes, content_type: str) -> Any:
    path = PREFIX + call.path.format_map(names)
    return client.generic("POST", path, body, content_type=content_type)


def ask_junk(call: Call, names: dict[str, int], number: int) -> None:
    client = sign_in_superuser()
    chance = random.Random(f"{SEED} {call}")
    for _ in range(number):
        texts = [
            str(chance.choice([*WORDS, *NUMBERS[:6], "cD1hYmM=", "bz0xJnA9MQ==", "api", "json"])) for _ in range(3)
        ]
        pairs = [(chance.choice(QUERIES), text[:2_000]) for text in texts]
        query = urlencode(pairs, errors="surrogatepass")
        path = PREFIX + call.path.format_map(names)
        response = client.get(
            f"{path}?{query}",
            headers={"accept": chance.choice(["*/*", "text/html", quote(texts[0][:50], errors="replace")])},
        )
        assert response.status_code < 500, query


@pytest.mark.parametrize("call", POSTS, ids=str)
def test_random_bodies_are_the_clients_fault_and_save_nothing(call: Call, names: dict[str, int]) -> None:
    send_junk(call, names, FEW)


def test_random_input_of_a_job_starts_nothing(names: dict[str, int]) -> None:
    refund = {"workflow_id": record(Refund).pk, "key": "k", "input": {"order": 1042, "lines": [{"article": "A4"}]}}
    send_junk(Call("POST", "jobs", ("add_job",), refund), names, 4 * FEW)
    order_workflow_execution(Refund, key="k", input={"order": 1041, "on": "2026-01-31"})
    send_junk(Call("POST", "jobs", ("add_job",), refund), names, 4 * FEW)


@pytest.mark.parametrize("call", GETS, ids=str)
def test_random_queries_are_no_fault_of_the_server(call: Call, names: dict[str, int]) -> None:
    ask_junk(call, names, FEW)


@pytest.mark.survey
@pytest.mark.parametrize("call", POSTS, ids=str)
def test_many_random_bodies_save_nothing(call: Call, names: dict[str, int]) -> None:
    send_junk(call, names, MANY)


@pytest.mark.survey
@pytest.mark.parametrize("call", GETS, ids=str)
def test_many_random_queries_are_no_fault_of_the_server(call: Call, names: dict[str, int]) -> None:
    ask_junk(call, names, MANY)
