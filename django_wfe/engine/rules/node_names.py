"""What a node is called: by the definition of its Job, else by what was recorded of its class."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import CharField, F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from django_wfe.definition.graph import START, Graph, guess_label
from django_wfe.definition.texts import flatten_text
from django_wfe.models import Step
from django_wfe.models.workflows import load_graph
from django_wfe.values.sentences import gettext as _


def name_node(graph: Graph, path: str) -> str:
    """Return a node's name for people, on one line; for a path that is not in the graph, words made from it."""
    node = graph.get_node(path)
    return guess_node_name(path) if node is None or path == START else flatten_text(node.label)


def name_node_by_id(definition_id: int, path: str) -> str:
    """Return a node's name as a definition has it. A process asks the database once per definition."""
    return name_node(load_graph(definition_id), path)


def guess_node_name(path: str) -> str:
    """Return a name for a dotted path without a look at the database."""
    return _("Start") if path == START else guess_label(path)


def load_node_names(paths: Iterable[str]) -> dict[str, str]:
    """Return the name of each path, whatever the definition, in one query."""
    wanted = set(paths)
    labels = dict(Step.objects.filter(path__in=wanted - {START}).exclude(label="").values_list("path", "label"))
    return {path: labels.get(path) or guess_node_name(path) for path in wanted}


def annotate_node_name(field: str) -> Coalesce:
    """Return an expression for ``read_node_name``: the label of the node that ``field`` names, else the path itself."""
    label = Step.objects.filter(path=OuterRef(field)).exclude(label="").values("label")[:1]
    return Coalesce(Subquery(label, output_field=CharField()), F(field), output_field=CharField())


def read_node_name(annotated: str, path: str) -> str:
    """Return the text to show for what ``annotate_node_name`` gave."""
    return guess_node_name(path) if annotated == path else annotated
