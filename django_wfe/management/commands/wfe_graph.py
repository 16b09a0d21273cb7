"""``manage.py wfe_graph``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error
from django.db.models import Q
from django.utils.translation import gettext as _

from django_wfe.definition.graph import Graph, get_label
from django_wfe.discovery import collect_workflows
from django_wfe.exceptions import CodeNotLoaded, InvalidWorkflow
from django_wfe.management.base import EngineCommand
from django_wfe.models import Definition, Workflow
from django_wfe.rendering.diagram.dot import DotFailed
from django_wfe.rendering.diagram.graph_files import GRAPH_FORMATS, write_graph_file
from django_wfe.steps import dotted_path
from django_wfe.workflows import compile_graph


class Command(EngineCommand):
    """Draws the graph of a workflow as the code declares it, or, where it is gone from the code, as it last was."""

    help = "Prints the graph of a workflow in Graphviz's DOT language, or writes it to SVG, PNG and DOT files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workflow", help=_("Its dotted path, its class name or its label."))
        for file_format in GRAPH_FORMATS:
            words = _("Write the graph as %(format)s to this file.") % {"format": file_format.upper()}
            parser.add_argument(f"--{file_format}", metavar="FILE", type=Path, help=words)

    def handle(self, *args: Any, workflow: str, **options: Any) -> None:
        path, graph = self._find_graph(workflow)
        definition = Definition(graph=graph.to_json(), fingerprint=graph.fingerprint)
        files = {file_format: options[file_format] for file_format in GRAPH_FORMATS if options[file_format]}
        if not files:
            self.stdout.write(write_graph_file(definition, "dot", name=path).decode())
        for file_format, file in files.items():
            try:
                file.write_bytes(write_graph_file(definition, file_format, name=path))
            except (DotFailed, OSError) as error:
                raise CommandError(_("%(file)s was not written: %(error)s") % {"file": file, "error": error}) from error
            self.stdout.write(self.style.SUCCESS(_("Wrote %(file)s.") % {"file": file}))

    def _find_graph(self, name: str) -> tuple[str, Graph]:
        try:
            declared = {dotted_path(declared): declared for declared in collect_workflows()}
        except CodeNotLoaded as error:
            self.stderr.write(self.style.WARNING(str(error)))
            declared = {}
        named = [path for path, found in declared.items() if name in (path, found.__name__, get_label(found))]
        if len(named) == 1:
            try:
                return named[0], compile_graph(declared[named[0]])
            except InvalidWorkflow as error:
                raise CommandError(str(error)) from error
        if named:
            raise CommandError(
                _("Several workflows are called %(name)s. Use one of these paths: %(paths)s")
                % {"name": name, "paths": ", ".join(named)}
            )
        return self._find_graph_in_database(name, known=sorted(declared))

    def _find_graph_in_database(self, name: str, *, known: list[str]) -> tuple[str, Graph]:
        try:
            rows = list(
                Workflow.objects.filter(Q(path=name) | Q(name=name) | Q(label=name))
                .exclude(current_definition=None)
                .select_related("current_definition")
            )
        except Error:
            rows = []  # without a database only the code can be asked
        if len(rows) == 1 and rows[0].current_definition is not None:
            return rows[0].path, rows[0].current_definition.load_graph()
        raise CommandError(
            _("No workflow is called %(name)s. These are declared: %(paths)s")
            % {"name": name, "paths": ", ".join([*known, *sorted(row.path for row in rows)]) or _("none")}
        )
