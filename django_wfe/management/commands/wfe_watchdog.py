"""``manage.py wfe_watchdog``."""

from __future__ import annotations

import logging
import signal
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.conf import settings
from django_wfe.management.base import EngineCommand
from django_wfe.watchdog.process import Watchdog, run_once


class Command(EngineCommand):
    """Runs the watchdog until SIGTERM or SIGINT. Start two for a spare: one leads."""

    help = (
        "Keeps the definitions in sync and gives back what dead workers and brokers have lost. Two may run: one leads."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        words = _("Do one sync and one sweep, then exit. Exit code 1: a definition has an error.")
        parser.add_argument("--once", action="store_true", help=words)

    def handle(self, *args: Any, once: bool, verbosity: int, **options: Any) -> None:
        if settings.watchdog_interval > 0 and not settings.workflows:
            # It would mark every workflow as deleted.
            raise CommandError(_("WFE_WORKFLOWS is not set: name the module that defines your workflows."))
        _set_up_logging(verbosity)
        if once:
            self._run_once()
            return
        watchdog = Watchdog()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watchdog.stop())
        logging.getLogger("django_wfe.watchdog.process").info("The watchdog starts.")
        watchdog.run()
        logging.getLogger("django_wfe.watchdog.process").info("The watchdog has stopped.")

    def _run_once(self) -> None:
        report, _swept = run_once()
        if report is not None and report.errors:
            number = len(report.errors)
            message = ngettext(
                "%(number)d definition has an error: %(paths)s", "%(number)d definitions have errors: %(paths)s", number
            )
            values = {"number": number, "paths": ", ".join(sorted(report.errors))}
            raise CommandError(message % values, returncode=1)


def _set_up_logging(verbosity: int) -> None:
    """Let the watchdog be heard where the project's LOGGING does not say how."""
    logger = logging.getLogger("django_wfe")
    if verbosity == 0 or logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
