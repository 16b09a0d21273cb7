"""``manage.py wfe_job``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from django_wfe.management.base import EngineCommand
from django_wfe.management.job_commands import acting, bulk, showing
from django_wfe.management.job_commands.arguments import add_arguments
from django_wfe.management.job_commands.choosing import find_user
from django_wfe.management.job_commands.output import Output

ACTIONS: dict[str, Callable[..., None]] = {
    "show": showing.show,
    "list": showing.list_jobs,
    "start": acting.start_one,
    "input": acting.give_input,
    "bulk": bulk.show,
    "pause-workflow": acting.hold_workflow,
    "resume-workflow": acting.release_workflow,
}


class Command(EngineCommand):
    """Every operator's verb from the shell, through the same service calls as the admin and the REST API."""

    help = (
        "Shows, starts, answers and repairs jobs. Exit code 0: done; 1: refused, for one job at least; 2: wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, action: str, as_json: bool, user: str | None, **options: Any) -> None:
        output = Output(self.stdout, self.stderr, as_json)
        # What is not among them is a verb, such as one that a project has registered.
        act: Callable[..., None] = ACTIONS.get(action, acting.apply_verb)
        act(output, find_user(user), **options)
