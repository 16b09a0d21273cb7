"""Where an exception from outside may hit a step, by the stack of its thread."""

import contextlib
import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType

import pytest

from django_wfe.engine.isolation.stacks import Place, judge_place, list_frames, list_traceback
from tests.support.running.waiting import wait_until

pytestmark = pytest.mark.unit


def look_from_inside(call: Callable[[Callable[[], None]], object]) -> Place:
    """Return the place of a thread that is in a function which ``call`` was given to call."""
    found: list[Place] = []
    boundary: list[FrameType] = []

    def look() -> None:
        # The frame that asks is the step's innermost, as it would be for another thread.
        found.append(judge_place(list_frames(sys._getframe(), boundary[0])))

    def run() -> None:
        boundary.append(sys._getframe())
        call(look)

    run()
    return found[0]


def wait_for_place(call: Callable[[], object], wanted: Place) -> None:
    """Wait until another thread, which calls ``call`` and stays in it, is at the wanted place."""
    boundary: list[FrameType] = []

    def run() -> None:
        boundary.append(sys._getframe())
        call()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def is_there() -> bool:
        frame = sys._current_frames().get(thread.ident or 0)
        return bool(frame and boundary) and judge_place(list_frames(frame, boundary[0])) is wanted

    wait_until(is_there)


class Keeper:
    """A project's own context manager and lock."""

    def __init__(self, look: Callable[[], None]) -> None:
        self.look = look

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        self.look()

    def acquire(self) -> None:
        self.look()

    release = acquire


class LookingHandler(logging.Handler):
    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__()
        self.emit = lambda record: look()  # type: ignore[method-assign]


@contextlib.contextmanager
def looking_at_its_end(look: Callable[[], None]) -> Iterator[None]:
    yield
    look()


def leave(manager: contextlib.AbstractContextManager[None]) -> None:
    with manager:
        pass


def import_module_that(look: Callable[[], None]) -> None:
    module = ModuleType("looking")
    module.look = look  # type: ignore[attr-defined]
    exec(compile("look()", "looking.py", "exec"), module.__dict__)


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (lambda look: look(), Place.GOOD),
        (lambda look: sorted([2, 1], key=lambda number: look() or number), Place.GOOD),
        (lambda look: leave(Keeper(look)), Place.HELD),
        (lambda look: Keeper(look).acquire(), Place.HELD),
        (lambda look: Keeper(look).release(), Place.HELD),
        (lambda look: leave(looking_at_its_end(look)), Place.HELD),
        (import_module_that, Place.GOOD),
    ],
)
def test_where_the_innermost_frame_is_the_projects_own(call, place):
    assert look_from_inside(call) is place


def test_code_of_the_project_that_a_library_calls_may_raise_as_always():
    logger = logging.Logger("looking")

    def log(look: Callable[[], None]) -> None:
        logger.addHandler(LookingHandler(look))
        logger.warning("look")

    assert look_from_inside(log) is Place.GOOD


def test_inside_of_logging_and_of_django_it_must_not():
    for module, place in (
        ("logging", Place.LOGGING),
        ("logging.handlers", Place.LOGGING),
        ("django.db.models.query", Place.DATABASE),
        ("psycopg2.extras", Place.DATABASE),
        ("psycopg.cursor", Place.DATABASE),
        ("threading", Place.HELD),
        ("multiprocessing.queues", Place.HELD),
        ("_frozen_importlib_external", Place.IMPORTING),
        ("django_wfe.engine.operations.starting", Place.ENGINE),
        ("django_wfe.demo.workflows.purchase_approval", Place.GOOD),
        ("requests.sessions", Place.GOOD),
        ("json.decoder", Place.GOOD),
    ):
        namespace = {"__name__": module}
        exec(
            "def inner(look): look(inner_frame())\ndef inner_frame():\n import sys\n return sys._getframe(1)", namespace
        )
        frames: list[FrameType] = []
        namespace["inner"](frames.append)  # type: ignore[operator]
        spots = list_frames(frames[0], sys._getframe())
        assert judge_place(spots) is place, module


@pytest.mark.parametrize(
    "wait",
    [
        threading.Event().wait,
        lambda: queue.Queue().get(),
        lambda: threading.Semaphore(0).acquire(),
        lambda: threading.Barrier(2).wait(),
        lambda: threading.main_thread().join(),
    ],
)
def test_a_step_that_waits_for_another_thread_can_be_interrupted(wait):
    wait_for_place(wait, Place.GOOD)


def test_a_step_that_waits_for_a_lock_may_have_got_it_just_now():
    lock = threading.Lock()
    lock.acquire()

    def take() -> None:
        lock.acquire()
        try:
            pass
        finally:
            lock.release()

    try:
        wait_for_place(take, Place.HELD)
    finally:
        lock.release()


def test_a_thread_that_has_left_the_steps_code_is_outside():
    assert judge_place(list_frames(sys._getframe(), sys._getframe())) is Place.OUTSIDE
    other: list[FrameType] = []
    thread = threading.Thread(target=lambda: other.append(sys._getframe()))
    thread.start()
    thread.join()
    assert list_frames(sys._getframe(), other[0]) is None
    assert judge_place(None) is Place.OUTSIDE


def test_a_traceback_is_judged_as_the_stack_was():
    def fail() -> None:
        raise ValueError

    def run() -> FrameType:
        try:
            leave(Keeper(fail))
        except ValueError as error:
            spots = list_traceback(error.__traceback__, sys._getframe())
            assert [code.co_name for code, _, _ in spots or []] == ["fail", "__exit__", "leave"]
            assert judge_place(spots, has_arrived=True) is Place.HELD
        return sys._getframe()

    run()
