"""``manage.py wfe_check``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.conf import settings
from django_wfe.discovery.modules import explain_emptiness
from django_wfe.discovery.reading import ModuleReading
from django_wfe.discovery.steadiness import read_steadily
from django_wfe.engine.project_code.needed_code import list_needed_code, say_cure, say_needed_code
from django_wfe.engine.project_code.recording import DeclaredWorkflow
from django_wfe.management.base import EngineCommand
from django_wfe.management.health import examine_database, examine_migrations
from django_wfe.models import Workflow
from django_wfe.values.sentences import say


class Command(EngineCommand):
    """Reads the definitions in a child process, as the watchdog does, and prints each problem with its cure."""

    help = "Prints each problem of the declared workflows, with its cure. Exit code 1 where there is any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--compare",
            action="store_true",
            help=_(
                "Compare with the database too: a workflow that is not synced counts as a problem, and so does code "
                "that open jobs need and that is not there."
            ),
        )

    def handle(self, *args: Any, compare: bool, **options: Any) -> None:
        modules = settings.workflows
        if not modules:
            raise CommandError(_("WFE_WORKFLOWS is not set: name the module that defines your workflows."))
        readings = read_steadily(modules)
        declared = {workflow.path: workflow for reading in readings for workflow in reading.workflows}
        problems = sum(self._print_module(reading) for reading in readings)
        problems += sum(self._print_workflow(workflow) for workflow in declared.values())
        if compare:
            problems += self._print_differences(declared)
            problems += self._print_needed_code()
        else:
            self._note_database()
        if problems:
            raise CommandError(
                ngettext("%(number)d problem.", "%(number)d problems.", problems) % {"number": problems}, returncode=1
            )
        self.stdout.write(
            self.style.SUCCESS(
                ngettext("%(number)d workflow, no problems.", "%(number)d workflows, no problems.", len(declared))
                % {"number": len(declared)}
            )
        )

    def _note_database(self) -> None:
        """Report what is wrong with the database. Not a problem of the definitions: they are read without it."""
        for look in (examine_database, examine_migrations):
            finding = look()
            if not finding.ok:
                note = _("Note: %(text)s %(cure)s") % {"text": finding.text, "cure": finding.cure}
                self.stderr.write(self.style.WARNING(note))
                return

    def _print_module(self, reading: ModuleReading) -> int:
        error = reading.error
        if not error and not reading.workflows:
            error = _("%(module)s names no Workflow with a DIGRAPH. %(cure)s") % {
                "module": reading.module,
                "cure": explain_emptiness(reading.module),
            }
        if error:
            self.stdout.write(self.style.ERROR(error))
        for warning in reading.warnings:
            self.stdout.write(self.style.WARNING(_("Warning: %(warning)s") % {"warning": warning}))
        return int(bool(error))

    def _print_workflow(self, workflow: DeclaredWorkflow) -> int:
        for problem in workflow.problems:
            self.stdout.write(self.style.ERROR(problem.workflow))
            if problem.node:
                self.stdout.write(_("  node:    %(node)s") % {"node": problem.node})
            self.stdout.write(_("  problem: %(message)s") % {"message": say(problem.message)})
            self.stdout.write(_("  cure:    %(cure)s") % {"cure": say(problem.cure)})
        return len(workflow.problems)

    def _print_differences(self, declared: dict[str, DeclaredWorkflow]) -> int:
        rows = dict(Workflow.objects.filter(deleted=False).values_list("path", "current_definition__fingerprint"))
        differences = 0
        for path, workflow in declared.items():
            if workflow.graph is not None and rows.get(path) != workflow.graph.fingerprint:
                differences += 1
                self.stdout.write(
                    self.style.ERROR(
                        _("%(path)s differs from the database: start the watchdog, or run wfe_watchdog --once.")
                        % {"path": path}
                    )
                )
        for path in sorted(rows.keys() - declared.keys()):
            differences += 1
            self.stdout.write(
                self.style.ERROR(_("%(path)s is in the database, but no longer declared.") % {"path": path})
            )
        return differences

    def _print_needed_code(self) -> int:
        """Print what open jobs need and the code lacks, as problems are printed."""
        needed = list_needed_code()
        for lack in needed:
            self.stdout.write(self.style.ERROR(lack.workflow))
            self.stdout.write(_("  node:    %(node)s") % {"node": lack.step})
            self.stdout.write(_("  problem: %(message)s") % {"message": say_needed_code(lack)})
            self.stdout.write(_("  cure:    %(cure)s") % {"cure": say_cure(lack)})
        return len(needed)
