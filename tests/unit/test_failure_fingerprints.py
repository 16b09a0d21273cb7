"""An incident holds one failure: the same place in the step's own code, and the same words but for what varies."""

import pytest

from django_wfe.engine.errors.failures import describe_failure
from django_wfe.engine.errors.fingerprints import (
    compute_fingerprint,
    find_place,
    find_words,
    get_place_range,
    is_of_place,
)

pytestmark = pytest.mark.unit

STEP = f"{__name__}.Step"


def call(message, kind=ValueError):
    """Stand for the helper that each of the step's calls goes through."""
    raise kind(message)


def describe(message, function=call, kind=ValueError):
    try:
        function(message, kind)
    except Exception as error:
        return describe_failure(error, STEP)
    raise AssertionError


def compute(message, function=call):
    return describe(message, function).fingerprint


UNRELATED = (
    "The supplier does not answer.",
    "The order has no lines.",
    "The customer's credit is used up.",
    "The address cannot be found.",
)

SAME = [
    ("Order 4711 is not there.", "Order 12 is not there."),
    ("Order ORD-4711/A is not there.", "Order ORD-12/B is not there."),
    ("Job 7d9f4a06-58a5-4a6a-9f5e-2f0c4ab54d1a is gone", "Job 01234567-89ab-4a6a-9f5e-2f0c4ab54d1b is gone"),
    ("no answer since 2026-11-27T06:17:08.5Z", "no answer since 2026-01-02T00:00:00Z"),
    ("mail to ann@example.com was refused", "mail to bob.smith@mail.example.org was refused"),
    ("customer 'ACME' has no address", "customer 'Miller & Sons' has no address"),
    ('customer "ACME" has no address', 'customer "Miller" has no address'),
    ("customer „ACME“ fehlt", "customer „Müller“ fehlt"),
    ("missing: 'a', 'b' and 'c'", "missing: 'a'"),
    ("cannot read /srv/in/a.csv: too short", "cannot read /srv/in/deep/b.csv: too short"),
    ("no row for <Order object at 0x7f00aa>", "no row for <Order object at 0x7f00bb>"),
    ("GET https://api.example.com/a?b=c timed out", "GET https://api.example.com/d timed out"),
    ("commit deadbeefdeadbeefdead is bad", "commit cafebabecafebabecafe is bad"),
    ("took 17.5 s\n  more", "took 3 s more"),
]

DIFFERENT = [
    ("HTTP 404 from the bank", "HTTP 503 from the bank"),
    ("status=404", "status=500"),
    ("[Errno 111] refused", "[Errno 110] refused"),
    ("it can't be, won't be", "it can't go, won't go"),
    ("a", "b"),
]


def test_unrelated_messages_raised_through_one_helper_are_incidents_of_their_own():
    fingerprints = {compute(message) for message in UNRELATED}
    assert len(fingerprints) == 4
    assert all(is_of_place(fingerprint) and len(fingerprint) == 64 for fingerprint in fingerprints)
    low, high = get_place_range(compute(UNRELATED[0]))
    assert all(low <= fingerprint <= high for fingerprint in fingerprints)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_varies_in_a_message_makes_no_other_incident(one, other):
    assert find_words(one) == find_words(other)
    assert compute(one) == compute(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_names_the_failure_makes_another_incident(one, other):
    assert compute(one) != compute(other)


FRAMES = """Traceback (most recent call last):
  File "/srv/shop/{first}.py", line 3, in {outer}
    call()
    ~~~~^^
  File "/srv/shop/tools/http.py", line 9, in ask
    get()
  File "/srv/venv/lib/python3.12/site-packages/requests/api.py", line 1, in get
    raise ValueError
ValueError: {message}
"""


def test_the_place_is_the_steps_own_function_not_the_helper_below_it():
    charge = FRAMES.format(first="steps/pay", outer="charge", message="x")
    refund = FRAMES.format(first="steps/pay", outer="refund", message="x")
    assert find_place(charge, "x", "shop.steps.pay.Pay") == "pay.py:charge"
    assert find_place(refund, "x", "shop.steps.pay.Pay") == "pay.py:refund"


def test_a_step_that_inherits_what_it_runs_fails_where_the_project_was_entered():
    inherited = FRAMES.format(first="bases", outer="execute", message="x")
    assert find_place(inherited, "x", "shop.steps.pay.Pay") == "bases.py:execute"


def test_a_cause_and_a_traceback_in_the_message_are_not_the_place():
    cause = FRAMES.format(first="steps/pay", outer="inner", message="y")
    message = "the child said:\n" + FRAMES.format(first="steps/pay", outer="child", message="z")
    link = "\nThe above exception was the direct cause of the following exception:\n\n"
    whole = cause + link + FRAMES.format(first="steps/pay", outer="execute", message=message)
    assert find_place(whole, message, "shop.steps.pay.Pay") == "pay.py:execute"


def test_a_group_fails_where_it_was_raised_itself():
    def gather(message, kind):
        raise ExceptionGroup(message, [ValueError("one"), describe_raised()])

    def describe_raised():
        try:
            call("two")
        except ValueError as error:
            return error

    failure = describe("both", gather)
    assert find_place(failure.traceback, failure.message, STEP) == "test_failure_fingerprints.py:gather"


def test_what_is_stored_is_enough_to_work_the_fingerprint_out_anew():
    for message in (*UNRELATED, "x" * 100_000, "", 'a\nTraceback (most recent call last):\n  File "a", line 1, in b'):
        failure = describe(message)
        stored = compute_fingerprint(STEP, failure.error_type, failure.message, failure.traceback)
        assert stored == failure.fingerprint


@pytest.mark.parametrize("junk", ["'" * 5_000, "9a" * 5_000, "/a" * 5_000, "<" * 5_000, "a@" * 5_000, "-" * 5_000])
def test_a_hostile_message_is_compared_in_no_time(junk):
    assert len(compute(junk)) == 64
