"""An exception is described whatever it is made of, and describing it never raises."""

import traceback

import pytest

from django_wfe.engine.errors.failures import describe_failure
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.retry import Retry

pytestmark = pytest.mark.unit


class Nasty(Exception):
    """Raises something at each look."""

    def __init__(self, raised):
        super().__init__("nasty")
        object.__setattr__(self, "raised", raised)

    def __str__(self):
        raise object.__getattribute__(self, "raised")

    __repr__ = __str__


class NastyEverywhere(Nasty):
    def __getattribute__(self, name):
        raise SystemExit(3)


class NastyProperties(Exception):
    def look(self):
        raise SystemExit(3)

    __class__ = property(look)
    __cause__ = property(look)
    __context__ = property(look)
    __notes__ = property(look)
    __traceback__ = property(look)
    __suppress_context__ = property(look)
    args = property(look)

    def __bool__(self):
        raise SystemExit(3)

    __len__ = __eq__ = __hash__ = __bool__


class NastyMeta(type):
    def __getattribute__(cls, name):
        if name in ("__qualname__", "__module__", "__name__"):
            raise SystemExit(3)
        return super().__getattribute__(name)


class NastyType(Exception, metaclass=NastyMeta):
    pass


class NastyText(str):
    def __contains__(self, other):
        raise SystemExit(3)

    encode = replace = __len__ = __getitem__ = __str__ = __format__ = __contains__


class TellingNastyText(Exception):
    def __str__(self):
        return NastyText("a text of its own")


class TellingNoText(Exception):
    def __str__(self):
        return 5


class Nowhere(Exception):
    __module__ = None


class Notes(list):
    def __iter__(self):
        raise KeyError("notes")

    __getitem__ = __len__ = __iter__


def with_notes(notes):
    error = ValueError("noted")
    error.__notes__ = notes
    return error


def in_a_circle():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    first.__context__ = first
    return first


def in_a_chain(length):
    last = ValueError("the last")
    error = last
    for number in range(length):
        error.__context__ = ValueError(f"number {number}")
        error = error.__context__
    return last


def in_groups(depth):
    error = ValueError("inmost")
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    return error


# Made in the test itself: the test runner would stumble over them.
HOSTILE = {
    "a SyntaxError whose text is a number": lambda: SyntaxError("unexpected end", ("mail.txt", 3, 1, 42)),
    "a SyntaxError of odd parts": lambda: SyntaxError("odd", (object(), "three", "one", b"text", None, "x")),
    "a SyntaxError whose message is a number": lambda: SyntaxError(42),
    "notes that are not a list": lambda: with_notes(5),
    "notes that raise": lambda: with_notes([5, Nasty(SystemExit(3))]),
    "a list of notes that raises": lambda: with_notes(Notes(["a"])),
    "notes that are None": lambda: with_notes(None),
    "a text that raises an exception": lambda: Nasty(ValueError("in it")),
    "a text that raises SystemExit": lambda: Nasty(SystemExit(3)),
    "a text that raises KeyboardInterrupt": lambda: Nasty(KeyboardInterrupt()),
    "a text that raises GeneratorExit": lambda: Nasty(GeneratorExit()),
    "a text that raises MemoryError": lambda: Nasty(MemoryError()),
    "a text that raises one of these": lambda: Nasty(Nasty(SystemExit(3))),
    "each attribute raises": lambda: NastyEverywhere(SystemExit(3)),
    "each property raises": lambda: NastyProperties("x"),
    "its type raises": lambda: NastyType("x"),
    "its text is of another type of text": TellingNastyText,
    "its text is not a text": TellingNoText,
    "its module is None": lambda: Nowhere("x"),
    "a group of them": lambda: ExceptionGroup(
        "several", [Nasty(SystemExit(3)), SyntaxError("x", ("a", 1, 1, 42)), NastyProperties()]
    ),
    "a group with SystemExit": lambda: BaseExceptionGroup("several", [SystemExit(3), NastyType()]),
    "undecodable bytes": lambda: UnicodeDecodeError("utf-8", b"\xff\x00", 0, 1, "bad \0 \ud800"),
    "causes in a circle": in_a_circle,
    "a very long chain": lambda: in_a_chain(50_000),
    "groups in groups, very deep": lambda: in_groups(5_000),
    "groups in groups": lambda: in_groups(3),
    "a group of thousands": lambda: ExceptionGroup("wide", [ValueError(str(number)) for number in range(5_000)]),
    "a very long message": lambda: ValueError("x" * 1_000_000),
    "NUL and a surrogate": lambda: ValueError("\0\ud800"),
}


def raise_it(error):
    raise error


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("place", ["itself", "its cause", "its context"])
def test_whatever_was_raised_is_described_with_its_place(kind, place):
    error = HOSTILE[kind]()
    caught = None
    try:
        if place == "itself":
            raise_it(error)
        elif place == "its cause":
            raise RuntimeError("outside") from error
        else:
            try:
                raise_it(error)
            finally:
                raise_it(RuntimeError("outside"))
    except BaseException as raised:
        caught = raised
    failure = describe_failure(caught, "shop.Step")
    for text in (failure.error_type, failure.message, failure.traceback, failure.fingerprint):
        assert type(text) is str
        assert "\0" not in text
        text.encode()
    assert "test_engine_failures.py" in failure.traceback
    assert failure.error_type
    assert len(failure.traceback) < 61_000
    assert len(failure.message) < 11_000
    assert type(say_briefly(caught)) is str
    if place != "itself":
        assert "RuntimeError: outside" in failure.traceback


def test_what_python_can_describe_is_described_as_python_does():
    try:
        try:
            raise_it(KeyError("inner"))
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError as raised:
        described = describe_failure(raised, "shop.Step").traceback
        expected = "".join(traceback.format_exception(raised))
    assert described == expected


def test_a_syntax_error_without_a_text_says_what_it_is_and_where_it_was_raised():
    error = SyntaxError("unexpected end", ("mail.txt", 3, 1, 42))
    try:
        raise_it(error)
    except SyntaxError as raised:
        failure = describe_failure(raised, "shop.Step")
    assert (failure.error_type, failure.message) == ("SyntaxError", "unexpected end (mail.txt, line 3)")
    assert "raise error" in failure.traceback
    assert "not as Python describes it: describing it raised AttributeError" in failure.traceback


def test_the_root_of_a_chain_of_reasonable_length_is_told_even_beside_a_broken_one():
    try:
        try:
            raise_it(KeyError("the root"))
        except KeyError as root:
            raise with_notes(Notes(["a"])) from root
    except ValueError as raised:
        text = describe_failure(raised, "shop.Step").traceback
    assert text.index("the root") < text.index("was the cause of") < text.index("ValueError: noted")


def test_a_text_that_cannot_be_read_names_what_reading_it_raised():
    assert describe_failure(Nasty(SystemExit(3)), "x").message == "(its message could not be read: SystemExit)"
    assert describe_failure(TellingNastyText(), "x").message == "a text of its own"


def test_a_retry_policy_decides_by_the_type_alone():
    retry = Retry(max_attempts=3, on=NastyProperties, give_up_on=KeyError)
    assert retry.allows(NastyProperties(), 1)
    assert not retry.allows(KeyError(), 1)
    assert not retry.allows(NastyEverywhere(ValueError()), 1)
