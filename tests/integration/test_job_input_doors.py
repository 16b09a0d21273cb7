"""A Job starts with the same data through each door: REST, the command, the start form, a file of rows, Python."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from django_wfe import order_workflow_execution
from django_wfe.forms import build_input_form
from django_wfe.models import Job, Workflow
from tests.declared.job_input_workflows import (
    SEEN,
    WORLD,
    Colour,
    Line,
    Moving,
    Optional,
    Place,
    Plain,
    Refund,
    Shipping,
)
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.support.forms.forms_browser import submit
from tests.support.forms.kind_files import write_cells, write_csv
from tests.support.running.engine_helpers import run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

JSON = "application/json"


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    SEEN.clear()
    yield
    WORLD["is open"] = True


def post_rest(client: Client, workflow: Workflow, given: Any, **others: Any) -> Any:
    return client.post("/wfe/jobs/", {"workflow_id": workflow.pk, "input": given, **others}, content_type=JSON)


def build(name: str, workflow: Workflow) -> str:
    return reverse(f"admin:django_wfe_workflow_{name}", args=[workflow.pk])


def type_in(schema: type[BaseModel], instance: BaseModel | None = None, **typed: Any) -> Any:
    """Give what a browser posts of the start form, filled in with the values of an instance."""
    form = build_input_form(schema)(prefix="input", initial=instance)
    return {**submit(form, **typed), "key": ""}


def upload(client: Client, workflow: Workflow, name: str, content: str) -> Any:
    """Post a file to start from, and the preview of it."""
    preview = client.post(build("start_many", workflow), {"file": SimpleUploadedFile(name, content.encode())})
    if preview.context.get("confirmed") and preview.context["preview"].start:
        client.post(build("start_many", workflow), {"confirmed": preview.context["confirmed"]})
    return preview


# What a form, a file and JSON all can say: no empty text, and no line break in what is typed on one line.
TEXT = st.text(st.sampled_from("abcÄß漢 1;,\"'<&=+-%"), min_size=1, max_size=12).map(str.strip).filter(bool)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=2)
MOMENTS = st.datetimes(
    min_value=datetime.datetime(1970, 1, 1), max_value=datetime.datetime(2999, 1, 1), timezones=st.just(datetime.UTC)
)
MODELS = st.builds(
    Moving.InputSchema,
    count=st.integers(-(2**53), 2**53),
    price=DECIMALS,
    on=st.dates(),
    at=MOMENTS,
    colour=st.sampled_from(Colour),
    place=st.builds(Place, city=TEXT, floor=st.none() | st.integers(-9, 99)),
    lines=st.lists(st.builds(Line, article=TEXT, amount=DECIMALS), max_size=3),
    maybe=st.none() | st.integers(0, 9),
    pin=TEXT,
    Title=TEXT,
)
WRONG: dict[str, Any] = {
    "count": "many",
    "price": "dear",
    "on": "2026-02-30",
    "at": "yesterday",
    "colour": "green",
    "place": {"floor": 1},
    "lines": [{"amount": "1.00"}],
    "maybe": "perhaps",
    "Title": None,
}

TYPED_WRONG = {
    **{name: value for name, value in WRONG.items() if isinstance(value, str)},
    "place": {"place__city": ""},
    "lines": {"lines__0__article": ""},
    "Title": {"title": ""},
}
"""The same as somebody types it."""

Door = Callable[[Client, Workflow, dict[str, Any], "BaseModel | None"], Any]


def by_python(client: Client, workflow: Workflow, data: dict[str, Any], instance: BaseModel | None) -> None:
    order_workflow_execution(workflow, input=data)


def by_model(client: Client, workflow: Workflow, data: dict[str, Any], instance: BaseModel | None) -> None:
    order_workflow_execution(workflow, input=instance or data)


def by_rest(client: Client, workflow: Workflow, data: dict[str, Any], instance: BaseModel | None) -> None:
    assert post_rest(client, workflow, data).status_code == (422 if instance is None else 201)


def by_command(client: Client, workflow: Workflow, data: dict[str, Any], instance: BaseModel | None) -> None:
    call_command("wfe_job", "start", workflow.path, "--input", json.dumps(data), verbosity=0)


def by_form(client: Client, workflow: Workflow, data: dict[str, Any], instance: BaseModel | None) -> None:
    posted = type_in(Moving.InputSchema, instance, pin=data["pin"])
    client.post(build("start", workflow), posted)


def by_csv(client: Client, workflow: Workflow, data: dict[str, Any], instance: BaseModel | None) -> None:
    content = write_csv(write_cells(Moving.InputSchema, data))
    upload(client, workflow, "jobs.csv", content)


def by_json_file(client: Client, workflow: Workflow, data: dict[str, Any], instance: BaseModel | None) -> None:
    upload(client, workflow, "jobs.json", json.dumps([data]))


DOORS: list[Door] = [by_python, by_model, by_rest, by_command, by_form, by_csv, by_json_file]


def write_data(instance: Any) -> dict[str, Any]:
    """Give the JSON of a model with its secret in clear."""
    return {**instance.model_dump(mode="json", by_alias=True), "pin": instance.pin.get_secret_value()}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(instance=MODELS)
def test_what_fits_arrives_equal_through_each_door(instance: Any) -> None:
    workflow, client = record(Moving), sign_in_superuser()
    for door in DOORS:
        SEEN.clear()
        Job.objects.all().delete()
        door(client, workflow, write_data(instance), instance)
        run_ready(Job.objects.get().pk)
        [(value, model)] = SEEN
        assert model == instance, door.__name__
        assert (value["pin"], value["title"], value["count"]) == ("**********", instance.title, instance.count)


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_starts_nothing_through_any_door(name: str) -> None:
    workflow, client = record(Moving), sign_in_superuser()
    fine = {
        "count": 1,
        "price": "1.50",
        "on": "2026-01-31",
        "at": "2026-01-31T08:30:00Z",
        "colour": "red",
        "place": {"city": "Bern"},
        "lines": [{"article": "A4"}],
        "pin": "1234",
        "Title": "Dr",
    }
    for door in (by_python, by_rest, by_command, by_csv, by_json_file):
        with suppress(ValidationError, CommandError):
            door(client, workflow, {**fine, name: WRONG[name]}, None)
        assert not Job.objects.exists(), door.__name__
    wrong = TYPED_WRONG[name] if isinstance(TYPED_WRONG[name], dict) else {name: TYPED_WRONG[name]}
    model = Moving.InputSchema.model_validate(fine)
    refused = client.post(build("start", workflow), type_in(Moving.InputSchema, model, pin="1234", **wrong))
    assert refused.context["input_form"].errors
    assert not Job.objects.exists()
    client.post(build("start", workflow), type_in(Moving.InputSchema, model, pin="1234"))
    assert Job.objects.count() == 1


def test_rest_tells_what_is_wrong_by_field_and_what_differs_by_name() -> None:
    workflow, client = record(Refund), sign_in_superuser()
    refused = post_rest(client, workflow, {"order": "many", "lines": [{"amount": 1}]})
    assert (refused.status_code, sorted(refused.json()["errors"])) == (422, ["input.lines.0.article", "input.order"])
    assert sorted(post_rest(client, workflow, [1]).json()["errors"]) == ["input"]
    missing = client.post("/wfe/jobs/", {"workflow_id": workflow.pk}, content_type=JSON)
    assert (missing.status_code, sorted(missing.json()["errors"])) == (422, ["input.order"])
    assert not Job.objects.exists()
    first = post_rest(client, workflow, {"order": 1042, "token": "hush-hush"}, key="k")
    again = post_rest(client, workflow, {"order": 1042, "token": "hush-hush"}, key="k")
    assert (first.status_code, again.status_code, again.json()["id"]) == (201, 200, first.json()["id"])
    other = post_rest(client, workflow, {"order": 1043, "token": "hush"}, key="k")
    assert (other.status_code, other.json()["fields"]) == (409, ["order", "token"])
    assert "1042" not in other.content.decode()
    assert post_rest(client, record(Plain), {"order": 1}).status_code == 400
    assert Job.objects.count() == 1


def test_rest_keeps_the_errors_of_the_first_step_apart_and_takes_a_form() -> None:
    workflow, client = record(Shipping), sign_in_superuser()
    refused = post_rest(client, workflow, {"order": 5}, first_input={})
    assert (refused.status_code, sorted(refused.json()["errors"])) == (422, ["address"])
    assert client.post("/wfe/jobs/", {"workflow_id": workflow.pk, "input": '{"order": 5}'}).status_code == 201


def test_rest_gives_the_schema_of_a_start() -> None:
    refund, plain, client = record(Refund), record(Plain), sign_in_superuser()
    schema = client.get(f"/wfe/workflows/{refund.pk}/").json()["input_schema"]
    assert (schema["required"], schema["properties"]["order"]["type"]) == (["order"], "integer")
    listed = {row["id"]: row["input_schema"] for row in client.get("/wfe/workflows/").json()}
    assert listed == {refund.pk: schema, plain.pk: None}


def test_the_command_takes_text_or_a_file_and_names_what_is_wrong(tmp_path: Any, capsys: Any) -> None:
    record(Refund)
    file = tmp_path / "input.json"
    file.write_text('{"order": 1042}')
    call_command("wfe_job", "start", "Refund", "--key", "k", "--input", f"@{file}")
    call_command("wfe_job", "start", "Refund", "--key", "k", "--input", '{"order": 1042}')
    assert "started before with this key" in capsys.readouterr().out
    for typed, code, words in (
        ('{"order": "many"}', 1, "  order: Input should be a valid integer"),
        ('{"order": 1043}', 1, "other input: order"),
        ("{", 2, "--input is not valid JSON"),
    ):
        key = "k" if "1043" in typed else "other"
        with pytest.raises(CommandError, match=words) as refused:
            call_command("wfe_job", "start", "Refund", "--key", key, "--input", typed)
        assert refused.value.returncode == code
    with pytest.raises(CommandError, match="cannot both come from the standard input"):
        call_command("wfe_job", "start", "Refund", "--input", "-", "--first-input", "-")
    assert Job.objects.count() == 1


def test_the_form_asks_shows_errors_at_their_fields_and_starts() -> None:
    workflow, client = record(Refund), sign_in("view_workflow", "view_job", "add_job")
    page = client.get(build("start", workflow)).content.decode()
    assert 'name="input-order"' in page
    assert 'type="password" name="input-token"' in page
    typed = type_in(Refund.InputSchema, order="many", token="hush-hush", note="by hand")
    refused = client.post(build("start", workflow), typed)
    text = refused.content.decode()
    assert refused.context["input_form"].errors.keys() == {"order"}
    assert 'href="#id_input-order"' in text, "the list of errors leads there"
    assert 'value="by hand"' in text, "what was typed is kept"
    assert "hush-hush" not in text
    added = client.post(build("start", workflow), {**typed, "input-_structure": "add:lines"})
    assert 'name="input-lines-0-article"' in added.content.decode()
    assert not Job.objects.exists()
    client.post(build("start", workflow), {**typed, "input-order": "1042", "key": "k"})
    job = Job.objects.get()
    assert job.storage["data"][0]["result"]["order"] == 1042
    other = client.post(build("start", workflow), {**typed, "input-order": "1043", "key": "k"})
    assert "order" in other.context["form"].errors["key"][0]
    assert "1042" not in other.context["form"].errors["key"][0]
    assert 'value="1043"' in other.content.decode()
    again = client.post(build("start", workflow), {**typed, "input-order": "1042", "key": "k"})
    assert again["Location"] == reverse("admin:django_wfe_job_change", args=[job.pk])
    assert Job.objects.count() == 1


def test_the_form_of_a_workflow_without_input_stays_as_it_was() -> None:
    client = sign_in_superuser()
    page = client.get(build("start", record(Plain)))
    assert page.context["input_form"] is None
    assert "with other input" not in page.content.decode()
    client.post(build("start", record(Plain)), {"key": ""})
    assert Job.objects.count() == 1


def test_a_process_without_the_code_says_so_in_place_of_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow, client = record(Refund), sign_in_superuser()
    monkeypatch.setattr(Refund, "InputSchema", None)
    page = client.get(build("start", workflow)).content.decode()
    assert "no longer has an InputSchema" in page
    assert client.post(build("start", workflow), {"key": ""}).status_code == 200
    assert not Job.objects.exists()


def test_the_columns_of_a_file_are_the_fields_of_the_job_input() -> None:
    workflow, client = record(Shipping), sign_in("view_workflow", "view_job", "add_job")
    page = client.get(build("start_many", workflow))
    assert [column.name for column in page.context["columns"]] == ["order"]
    assert "waits for the input of “Ask address”" in page.content.decode()
    plan = upload(client, workflow, "jobs.csv", "key,order,address\na,1,x\nb,many,x\n").context["preview"]
    assert plan.unknown_columns == ["address"]
    assert [row.errors[0].partition(":")[0] for row in plan.refused] == ["order"]
    job = Job.objects.get()
    assert (job.key, job.state, job.storage["data"][0]["result"]) == ("a", "INPUT_REQUIRED", {"order": 1})


def test_the_file_to_fill_in_has_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow, client = record(Refund), sign_in("view_workflow", "view_job", "add_job")
    address = reverse("admin:django_wfe_workflow_columns", args=[workflow.pk])
    assert f'href="{address}"' in client.get(build("start_many", workflow)).content.decode()
    file = client.get(address)
    assert (file["Content-Disposition"], file.content) == (
        'attachment; filename="Refund.csv"',
        b"key,order,on,lines,Note,token\r\n",
    )
    upload(client, workflow, "jobs.csv", file.content.decode() + "a,1042,,,by hand,\r\n")
    assert Job.objects.get().storage["data"][0]["result"]["note"] == "by hand"
    assert client.get(reverse("admin:django_wfe_workflow_columns", args=[record(Plain).pk])).content == b"key\r\n"
    monkeypatch.setattr(Refund, "InputSchema", None)
    assert client.get(address)["Location"] == build("start_many", workflow)


def test_a_row_with_a_known_key_and_other_input_is_refused_by_the_names_of_the_fields() -> None:
    workflow, client = record(Refund), sign_in_superuser()
    rows = "key,order,token\na,1042,hush\nb,1043,\n"
    upload(client, workflow, "jobs.csv", rows)
    plan = upload(client, workflow, "jobs.csv", rows).context["preview"]
    assert (len(plan.known), plan.refused) == (2, [])
    plan = upload(client, workflow, "jobs.csv", "key,order,token\na,1044,hush-hush\nb,1043,\n").context["preview"]
    assert [row.errors for row in plan.refused] == [("key: its job was started with other input: order, token.",)]
    assert (len(plan.known), Job.objects.count()) == (1, 2)


def test_the_job_page_tells_what_it_started_with_to_who_may_see_it() -> None:
    record(Refund)
    given = {"order": 1042, "lines": [{"article": "A4"}], "token": "hush-hush"}
    job_id = order_workflow_execution(Refund, input=given)
    address = reverse("admin:django_wfe_job_change", args=[job_id])
    response = sign_in("view_job", "view_job_data", "view_steprun").get(address)
    text = read_page(response).text
    started = response.context["started_with"].preview
    assert "Started with" in text
    assert "hush" not in response.content.decode()
    assert json.loads(started.text)["token"] == "*" * 10
    assert "$wfe" not in response.content.decode()
    assert "Started with" not in sign_in("view_job").get(address).content.decode()
    plain = reverse("admin:django_wfe_job_change", args=[order_workflow_execution(Plain)])
    assert "Started with" not in sign_in_superuser().get(plain).content.decode()


def test_the_workflow_page_tells_what_a_job_starts_with() -> None:
    client = sign_in("view_workflow")
    page = client.get(build("change", record(Refund)))
    first = page.context["asked_at_start"][0]
    assert (first.name, first.label, first.is_required) == ("order", "Order", True)
    assert "What a job starts with" in page.content.decode()
    assert "What a job starts with" not in client.get(build("change", record(Plain))).content.decode()


def test_the_history_leaves_the_digests_out() -> None:
    job = Job.objects.get(pk=order_workflow_execution(Refund, key="k", input={"order": 1042}))
    client = sign_in_superuser()
    event = job.events.get(kind="started")
    [digest] = event.data["input_digests"].values()
    for address in (
        reverse("admin:django_wfe_jobevent_change", args=[event.pk]),
        reverse("admin:django_wfe_job_change", args=[job.pk]),
        f"/wfe/jobs/{job.pk}/",
    ):
        text = client.get(address).content.decode()
        assert digest not in text
        assert "input_digests" not in text


def test_two_jobs_differ_in_what_they_were_given_and_not_in_how_a_secret_was_sealed() -> None:
    record(Refund)
    one, other = (
        order_workflow_execution(Refund, input={"order": order, "token": "hush-hush"}) for order in (1042, 1043)
    )
    page = sign_in_superuser().get(reverse("admin:django_wfe_job_compare", args=[one, other]))
    [differences] = [row.differences for row in page.context["rows"] if row.one.number == 0]
    assert [(difference.label, difference.one, difference.other) for difference in differences] == [
        ("Order", "1042", "1043")
    ]


def test_a_first_step_that_runs_again_gets_the_secrets_masked_and_may_get_other_input() -> None:
    record(Optional)
    job_id = order_workflow_execution(Refund, input={"order": 1, "token": "hush-hush"})
    run_ready(job_id)
    SEEN.clear()
    client = sign_in_superuser()
    client.post(
        reverse("admin:django_wfe_job_verb", args=[job_id, "rerun"]), {"number": "1", "expected_state": "FINISHED"}
    )
    assert run_ready(job_id).state == "FINISHED"
    assert [(value["token"], model.token.get_secret_value()) for value, model in SEEN] == [("*" * 10, "hush-hush")] * 2


def test_decimal_digits_are_kept() -> None:
    workflow = record(Refund)
    amount = "0.1000000000000000000001"
    response = post_rest(sign_in_superuser(), workflow, {"order": 1, "lines": [{"article": "a", "amount": amount}]})
    run_ready(response.json()["id"])
    assert SEEN[-1][1].lines[0].amount == Decimal(amount)


def test_what_the_first_step_gets_has_its_defaults_whether_there_is_a_secret_or_not() -> None:
    for token in (None, "hush-hush"):
        run_ready(order_workflow_execution(Refund, input={"order": 1, "on": "2026-01-31", "token": token, "Note": "x"}))
    (without, _model), _decided, (masked, _other), _done = SEEN
    assert masked == {**without, "token": "*" * 10}
    assert (masked["lines"], masked["note"], masked["on"]) == ([], "x", "2026-01-31")
