"""Which arguments an ``execute`` or ``transition`` gets, by its signature."""

import functools

import pytest

from django_wfe import steps
from django_wfe.steps import plan_execute, plan_transition

pytestmark = pytest.mark.unit

OFFERED = {"external_input": {"asked": 1}, "logfile": "/log"}


def call(step, value="value", **more):
    """Call ``execute`` as the engine does."""
    plan = plan_execute(step)
    assert plan.problem == ""
    return plan.call(step().execute, value, OFFERED | more)


def test_only_self():
    class Declared(steps.Step):
        def execute(self):
            return "ran"

    assert call(Declared) == "ran"


def test_input_alone():
    class Declared(steps.Step):
        def execute(self, _input):
            return _input

    assert call(Declared) == "value"


def test_the_input_may_have_any_name():
    class Declared(steps.Step):
        def execute(self, order):
            return order

    assert call(Declared) == "value"


def test_the_long_form_gets_everything():
    class Declared(steps.Step):
        def execute(self, _input=None, external_input=None, *args, **kwargs):
            return _input, external_input, args, kwargs

    assert call(Declared) == ("value", {"asked": 1}, (), {"logfile": "/log"})


def test_the_form_without_external_input_finds_it_in_kwargs():
    class Declared(steps.Step):
        def execute(self, _input=None, *args, **kwargs):
            return _input, args, kwargs

    assert call(Declared) == ("value", (), OFFERED)


def test_external_input_first():
    class Declared(steps.Step):
        def execute(self, external_input, _input):
            return external_input, _input

    assert call(Declared) == ({"asked": 1}, "value")


def test_external_input_alone():
    class Declared(steps.Step):
        def execute(self, external_input):
            return external_input

    assert call(Declared) == {"asked": 1}


def test_logfile_alone():
    class Declared(steps.Step):
        def execute(self, logfile=None):
            return logfile

    assert call(Declared) == "/log"


def test_keyword_only():
    class Declared(steps.Step):
        def execute(self, *, external_input, logfile):
            return external_input, logfile

    assert call(Declared) == ({"asked": 1}, "/log")


def test_keyword_only_input():
    class Declared(steps.Step):
        def execute(self, *, _input, external_input=None):
            return _input, external_input

    assert call(Declared) == ("value", {"asked": 1})


def test_positional_only_input():
    class Declared(steps.Step):
        def execute(self, _input, /, external_input):
            return _input, external_input

    assert call(Declared) == ("value", {"asked": 1})


def test_args_only():
    class Declared(steps.Step):
        def execute(self, *args):
            return args

    assert call(Declared) == ("value",)


def test_args_and_kwargs_only():
    class Declared(steps.Step):
        def execute(*args, **kwargs):
            return args[1:], kwargs

    assert call(Declared) == (("value",), OFFERED)


def test_kwargs_only():
    class Declared(steps.Step):
        def execute(self, **kwargs):
            return kwargs

    assert call(Declared) == OFFERED


def test_a_parameter_with_a_default_that_nothing_gives_keeps_its_default():
    class Declared(steps.Step):
        def execute(self, _input, limit=10, *, fast=True):
            return _input, limit, fast

    assert call(Declared) == ("value", 10, True)


def test_a_decorated_execute_is_matched_by_what_it_wraps():
    def audited(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return "audited", function(*args, **kwargs)

        return wrapper

    class Declared(steps.Step):
        @audited
        def execute(self, _input):
            return _input

    assert call(Declared) == ("audited", "value")


def test_an_inherited_execute_is_matched_like_its_own():
    class Base(steps.Step):
        def execute(self, external_input):
            return external_input

    class Declared(Base):
        pass

    assert call(Declared) == {"asked": 1}


def test_a_lambda_and_a_partialmethod_are_methods_too():
    class Declared(steps.Step):
        execute = lambda self, _input: _input  # noqa: E731

    class Bound(steps.Step):
        def run(self, _input, factor):
            return _input * factor

        execute = functools.partialmethod(run, factor=2)

    assert call(Declared) == "value"
    assert call(Bound) == "valuevalue"


def test_none_and_false_reach_the_step_as_they_are():
    class Declared(steps.Step):
        def execute(self, _input="default"):
            return _input

    assert [call(Declared, value) for value in (None, False, 0, "")] == [None, False, 0, ""]


def test_a_transition_gets_the_result_too():
    class Declared(steps.Decision):
        def transition(self, _input, result, external_input=None, **kwargs):
            return _input, result, external_input, kwargs

    plan = plan_transition(Declared)
    given = plan.call(Declared().transition, "value", {**OFFERED, "result": "done"})
    assert given == ("value", "done", {"asked": 1}, {"logfile": "/log"})


def test_a_transition_without_parameters():
    class Declared(steps.Decision):
        def transition(self):
            return 1

    assert plan_transition(Declared).call(Declared().transition, "value", {**OFFERED, "result": "done"}) == 1


def test_an_execute_gets_no_result():
    class Declared(steps.Step):
        def execute(self, _input, result):
            return result

    assert "asks for result, which nothing gives" in plan_execute(Declared).problem


def _generator(self):
    yield 1


async def _async_generator(self):
    yield 1


def _asks_for_more(self, _input, session, *, tenant):
    return session


class _Callable:
    def __call__(self, _input):
        return _input


@pytest.mark.parametrize(
    ("execute", "problem"),
    [
        (_generator, "uses 'yield'; return the result instead"),
        (_async_generator, "uses 'yield'; return the result instead"),
        (_asks_for_more, "asks for session, tenant, which nothing gives; it can take _input and external_input"),
        (classmethod(lambda cls: 1), "is a classmethod; write a plain method"),
        (lambda: 1, "does not take self; write a plain method"),
        (_Callable(), "is not a function; write a plain method"),
        (5, "is not a function; write a plain method"),
        (property(lambda self: 5), "is not a function; write a plain method"),
    ],
)
def test_what_cannot_be_called_is_a_problem_that_names_the_cure(execute, problem):
    declared = type("Declared", (steps.Step,), {"execute": execute})
    assert problem in plan_execute(declared).problem
