"""Code of the project that raises: told where the person can see it, never raised through the form."""

import enum
import logging
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer, model_validator

from django_wfe.engine.inputs.validation import encode_input, load_input
from django_wfe.forms import InputForm, build_input_form
from tests.support.forms.forms_browser import make_form, read_form, submit

pytestmark = pytest.mark.unit


def fail(_value: Any = None) -> Any:
    raise LookupError("no such tariff")


def leave(_value: Any = None) -> Any:
    raise SystemExit(3)


class Part(BaseModel):
    name: str


class Unprintable:
    def __str__(self) -> str:
        raise LookupError("no such tariff")

    __repr__ = __str__


class Moody(enum.Enum):
    GOOD = "good"
    BAD = "bad"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        raise LookupError("no such tariff")


class TestDefaults:
    @pytest.mark.parametrize("factory", [fail, leave])
    @pytest.mark.parametrize(
        "annotation", [int, str, bool, Moody, list[int], Part, Part | None, dict[str, int], set[Moody]]
    )
    def test_a_factory_that_raises_is_told_on_the_form_which_can_be_answered(
        self, annotation: Any, factory: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        form = make_form(annotation, Field(default_factory=factory))
        page = str(form)
        assert "The default of Sample.value could not be made: " in page
        assert "no such tariff" in page or "SystemExit" in page
        assert caplog.records[0].levelno == logging.ERROR
        posted = {"value": {int: "1", Moody: "good"}.get(annotation, "a"), "value-name": "pen"}
        again = make_form(annotation, Field(default_factory=factory), data=posted)
        assert again.is_valid() or "could not" in str(again)

    def test_answered_by_hand_it_is_taken(self) -> None:
        form = make_form(int, Field(default_factory=fail), data={"value": "7"})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": 7}

    def test_left_empty_it_is_told_as_what_pydantic_met(self) -> None:
        form = make_form(int, Field(default_factory=fail), data={"value": ""})
        assert not form.is_valid()
        assert "LookupError: no such tariff" in form.non_field_errors()[0]

    @pytest.mark.parametrize(
        ("annotation", "default"),
        [
            (Any, Unprintable()),
            (str, Unprintable()),
            (list[Any], [Unprintable()]),
            (dict[str, Any], {"a": Unprintable()}),
            (bytes, b"\xff\xfe"),
            (list[bytes], [b"\xff\xfe"]),
            (dict[str, bytes], {"a": b"\xff"}),
            (Any, b"\xff"),
            (str, "\ud800"),
            (list[str], ["\ud800"]),
            (dict[str, str], {"\ud800": "\udfff"}),
            (str, "\0"),
            (int, 10**5000),
            (dict[str, int], {"a": 10**5000}),
            (float, float("nan")),
            (dict[str, float], {"a": float("inf")}),
        ],
        ids=lambda value: "",
    )
    def test_what_cannot_be_shown_breaks_no_page(self, annotation: Any, default: Any) -> None:
        form = make_form(annotation, Field(default))
        str(form).encode()
        again = make_form(annotation, Field(default), data=submit(form))
        again.is_valid()
        str(again).encode()

    @pytest.mark.parametrize("annotation", [bytes, bytes | None, list[bytes], dict[str, bytes | None]])
    def test_bytes_that_are_no_text_stay_what_they_are_if_left_alone(self, annotation: Any) -> None:
        default = {bytes: b"\xff", bytes | None: b"\xff", list[bytes]: [b"\xff"]}.get(annotation, {"a": b"\xff"})
        drawn = make_form(annotation, Field(default))
        assert "Its value cannot be shown here; left empty, it stays as it is." in str(drawn)
        form = make_form(annotation, Field(default), data=submit(drawn))
        if annotation == list[bytes]:
            assert "This item is empty" in form.errors["value-0"][0]
            return
        assert form.is_valid(), form.errors
        assert form.instance is not None
        assert form.instance.model_dump() == {"value": default}
        assert (
            load_input(type(form.instance), encode_input(type(form.instance), form.external_data, "it"))
            == form.instance
        )


class TestValidators:
    @pytest.mark.parametrize("raising", [fail, leave])
    @pytest.mark.parametrize("kind", [AfterValidator, BeforeValidator])
    def test_of_a_field(self, kind: Any, raising: Any) -> None:
        self.check(make_form(Annotated[int, kind(raising)], data={"value": "1"}))

    def test_of_a_model(self) -> None:
        class Sample(Part):
            @model_validator(mode="before")
            @classmethod
            def _check(cls, data: Any) -> Any:
                return fail()

        self.check(build_input_form(Sample)({"name": "pen"}))

    def test_an_own_init(self) -> None:
        class Sample(BaseModel):
            name: str

            def __init__(self, **data: Any) -> None:
                raise LookupError("no such tariff")

        self.check(build_input_form(Sample)({"name": "pen"}))

    def test_code_that_runs_after_it(self) -> None:
        class Sample(BaseModel):
            name: str

            def model_post_init(self, context: Any) -> None:
                raise LookupError("no such tariff")

        self.check(build_input_form(Sample)({"name": "pen"}))

    def check(self, form: InputForm) -> None:
        assert not form.is_valid()
        [told] = form.non_field_errors()
        assert "This is a defect in" in told
        assert "Sample" in told
        assert ("name", "pen") in read_form(form).posted or ("value", "1") in read_form(form).posted


def test_a_serializer_that_raises_hides_only_what_it_would_show() -> None:
    odd = Annotated[Part, PlainSerializer(fail)]
    form = make_form(dict[str, odd], initial={"value": {"a": Part(name="pen")}})  # type: ignore[valid-type]
    assert "<textarea" in str(form)
