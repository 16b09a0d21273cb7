"""Which exception of the engine becomes which response."""

import pytest
from django.test import override_settings
from pydantic import BaseModel, RootModel, ValidationError, field_validator, model_validator
from rest_framework.exceptions import ValidationError as InvalidRequest

from django_wfe import exceptions
from django_wfe.api.frame.base import WFEView, parse_id
from django_wfe.api.frame.errors import handle_exception, list_input_errors
from django_wfe.api.frame.renderers import PlainTextRenderer

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (exceptions.WrongState("too late"), 409),
        (exceptions.InputRequired("too late"), 409),
        (exceptions.FinishedWorkflow("too late"), 409),
        (exceptions.WorkflowDeleted("gone"), 400),
        (exceptions.UnknownWorkflow("none"), 400),
        (exceptions.InvalidWorkflow("no start"), 400),
        (exceptions.UnknownJob("none"), 404),
        (exceptions.PermissionRequired("no", permission="django_wfe.add_job"), 403),
        (exceptions.NotEncodable("NaN"), 422),
        (exceptions.InvalidTransition("7"), 422),
        (exceptions.CodeNotLoaded("shop.Charge"), 503),
        (exceptions.WFEException("other"), 400),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_exception_has_its_status_and_tells_its_reason(error: Exception, status: int) -> None:
    response = handle_exception(error, {})
    assert response is not None
    assert (response.status_code, response.data) == (status, {"detail": str(error)})


def test_a_fault_of_the_server_is_not_hidden() -> None:
    assert handle_exception(ZeroDivisionError(), {}) is None


def test_a_request_that_is_not_valid_tells_its_fields() -> None:
    response = handle_exception(InvalidRequest({"key": ["too long"]}), {})
    assert response is not None
    assert response.status_code == 400
    assert response.data == {"detail": "The request is not valid.", "errors": {"key": ["too long"]}}


def test_a_request_that_is_wrong_as_a_whole_tells_so() -> None:
    response = handle_exception(InvalidRequest("no dictionary"), {})
    assert response is not None
    assert response.data["errors"] == {"non_field_errors": ["no dictionary"]}


class Line(BaseModel):
    price: int

    @field_validator("price")
    @classmethod
    def check_price(cls, value: int) -> int:
        if value < 0:
            raise ValueError("must not be negative")
        return value


class Order(BaseModel):
    lines: list[Line]
    note: int | bool = 0

    @model_validator(mode="after")
    def check_lines(self) -> "Order":
        if not self.lines:
            raise ValueError("an order has at least one line")
        return self


def collect(model: type[BaseModel], data: object) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return list_input_errors(caught.value)


def test_input_errors_are_found_by_the_path_of_their_field() -> None:
    errors = collect(Order, {"lines": [{"price": 1}, {"price": -1}, {}], "note": "x"})
    assert errors["lines.1.price"] == ["Value error, must not be negative"]
    assert errors["lines.2.price"] == ["Field required"]
    assert set(errors) == {"lines.1.price", "lines.2.price", "note.int", "note.bool"}


def test_errors_of_the_whole_input_are_kept_apart() -> None:
    assert collect(Order, {"lines": []}) == {"non_field_errors": ["Value error, an order has at least one line"]}
    assert list(collect(RootModel[int], "x")) == ["non_field_errors"]


def test_input_errors_never_repeat_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate({"lines": [{"price": "secret-4711"}]})
    response = handle_exception(caught.value, {})
    assert response is not None
    assert response.status_code == 422
    assert "secret-4711" not in str(response.data)


@override_settings(REST_FRAMEWORK={"EXCEPTION_HANDLER": "rest_framework.views.exception_handler"})
def test_the_projects_own_exception_handler_is_left_out() -> None:
    assert WFEView().get_exception_handler() is handle_exception


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("007", 7),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("9" * 5000, None),
        ("-1", None),
        ("", None),
        ("٣", None),
        ("²", None),
        ("1_0", None),
    ],
)
def test_only_decimal_digits_that_a_bigint_holds_are_an_id(text: str, number: int | None) -> None:
    assert parse_id(text) == number


def test_text_that_is_no_unicode_does_not_break_a_log() -> None:
    assert PlainTextRenderer().render("a\ud800b") == b"a?b"
