"""The load of a storm: who orders the Jobs, and who gives the input that they ask for."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connection

from django_wfe.engine.errors.database_errors import is_connection_error
from django_wfe.engine.lifecycle import order_workflow_execution, provide_external_input
from django_wfe.exceptions import WrongState
from django_wfe.models import Job, StepRun, StepRunState
from tests.chaos.storm.workflows import MIX

Result = TypeVar("Result")

LOOK_SECONDS = 0.5
BATCH = 200


class LoadStopped(Exception):
    """The storm is over."""


class Load:
    """Orders ``jobs`` Jobs of mixed Workflows, evenly over ``seconds``, and feeds those that wait, in two threads."""

    def __init__(self, jobs: int, seconds: float, seed: int) -> None:
        self.ordered: dict[str, int] = {}
        """The id that each order was answered with, by the Job's key."""
        self.troubles: list[str] = []
        """What ended a thread that should not have ended."""
        self._jobs = jobs
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(work,)) for work in (self._order, self._feed)]

    @property
    def is_ordering(self) -> bool:
        return self._threads[0].is_alive()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except LoadStopped:
            return
        except Exception:
            self.troubles.append(traceback.format_exc())
        finally:
            connection.close()

    def _order(self) -> None:
        began = time.monotonic()
        # Each Workflow equally often, in an order left to chance.
        choices = [list(MIX)[index % len(MIX)] for index in range(self._jobs)]
        self._chance.shuffle(choices)
        for index, workflow in enumerate(choices):
            self._sleep(began + self._seconds * index / self._jobs - time.monotonic())
            key = f"storm-{index}"
            # An order whose answer was lost is given again, under the same key.
            self.ordered[key] = self._insist(partial(order_workflow_execution, workflow, key=key))

    def _feed(self) -> None:
        while True:
            for job_id in self._insist(self._list_waiting):
                self._insist(partial(self._give, job_id))
            self._sleep(LOOK_SECONDS)

    @staticmethod
    def _list_waiting() -> list[int]:
        waiting = StepRun.objects.filter(state=StepRunState.INPUT_REQUIRED)
        return list(waiting.order_by("id").values_list("job_id", flat=True)[:BATCH])

    @staticmethod
    def _give(job_id: int) -> None:
        try:
            provide_external_input(job_id, {"number": 42})
        except WrongState:
            # It was given already, and only the answer was lost.
            if Job.objects.filter(pk=job_id, step_runs__state=StepRunState.INPUT_REQUIRED).exists():
                raise

    def _insist(self, work: Callable[[], Result]) -> Result:
        while True:
            try:
                return work()
            except (DatabaseError, InterfaceError) as error:
                if not is_connection_error(error):
                    raise
                connection.close()
                self._sleep(0.2)

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(max(0.0, seconds)):
            raise LoadStopped
