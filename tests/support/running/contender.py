"""A process that does what it is told, at the very moment it is told: two of them race for the same thing.

Reads a line of JSON at a time, ``{"do": ..., "at": <time.time()>, ...}``, and answers with one.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Contender:
    """One of the racing processes, seen from the test."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.running.contender"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


@contextmanager
def racing(environment: dict[str, str], count: int = 2) -> Iterator[Callable[..., list[Any]]]:
    """Start contenders; the given function has all of them do the same at the same moment, and gives their answers.

    Each is told its number as ``contender``.
    """
    contenders = [Contender(environment) for _ in range(count)]
    try:
        for contender in contenders:
            contender.send(do="nothing", at=0)
        for contender in contenders:
            contender.receive()

        def race(**command: Any) -> list[Any]:
            at = time.time() + 0.02
            for number, contender in enumerate(contenders):
                contender.send(at=at, contender=number, **command)
            return [contender.receive() for contender in contenders]

        yield race
    finally:
        for contender in contenders:
            contender.close()


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    answers = sys.stdout
    connection.ensure_connection()
    for line in sys.stdin:
        command = json.loads(line)
        while time.time() < command["at"]:
            pass
        answers.write(json.dumps(_do(command)) + "\n")
        answers.flush()


def _do(command: dict[str, Any]) -> Any:
    from django.contrib.auth.models import User

    from django_wfe import order_workflow_execution, provide_external_input
    from django_wfe.engine.lifecycle import assign_input, save_draft
    from django_wfe.engine.worker.loop import run_step_run
    from django_wfe.exceptions import OtherInput, WrongState
    from tests import workflows

    match command["do"]:
        case "provide":
            try:
                provide_external_input(command["job"], {"some_data": command["value"]})
            except WrongState:
                return "refused"
            return "accepted"
        case "claim":
            # Each as a user of its own.
            user = User.objects.get(pk=command["users"][command["contender"]])
            try:
                assign_input(command["step_run"], user, take_over_from=command.get("take_over_from"))
            except WrongState as error:
                return str(error)
            return "accepted"
        case "draft or provide":
            try:
                if command["contender"] == 0:
                    save_draft(command["step_run"], {"some_data": ["1"]}, User.objects.get(pk=command["users"][0]))
                else:
                    provide_external_input(command["job"], {"some_data": 1})
            except WrongState:
                return "refused"
            return "accepted"
        case "run":
            workflows.EXECUTED.clear()
            run_step_run(command["step_run"])
            return [name for name, _ in workflows.EXECUTED]
        case "start":
            return order_workflow_execution(command["workflow"], key=command["key"])
        case "start with job input":
            try:
                given = {"order": command["values"][command["contender"]]}
                return order_workflow_execution(command["workflow"], key=command["key"], input=given)
            except OtherInput as error:
                return list(error.fields)
        case "start with input":
            # Each brings input of its own.
            value = command["values"][command["contender"]]
            return order_workflow_execution(command["workflow"], key=command["key"], first_input={"some_data": value})
    return None


if __name__ == "__main__":
    main()
