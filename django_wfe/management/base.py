"""What the commands share: a database that cannot be used is a sentence with its cure, and no traceback."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from django_wfe.engine.errors.database_trouble import explain_database_error


class EngineCommand(BaseCommand):
    """A command that works on the engine's tables."""

    # What is wrong with the workflows' code must not keep an operator from the jobs.
    requires_system_checks: Any = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command.

        Raises:
            CommandError: the database cannot be used, or a setting is wrong: with the cause and the cure. Exit code 1.
        """
        try:
            return super().execute(*args, **options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=1) from error
        except Error as error:
            trouble = explain_database_error(error)
            if trouble is None:
                raise
            raise CommandError(str(trouble), returncode=1) from error
