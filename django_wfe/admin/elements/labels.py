"""Names for people of the nodes that rows name by their dotted path."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import CharField, F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from django_wfe.definition import graph
from django_wfe.models import Step


def load_step_labels(paths: Iterable[str]) -> dict[str, str]:
    """Return the label of each path, in one query; for a class that discovery never saw, its name in words."""
    wanted = set(paths)
    labels = dict(Step.objects.filter(path__in=wanted - {graph.START}).exclude(label="").values_list("path", "label"))
    return {path: labels.get(path) or guess_label(path) for path in wanted}


def guess_label(path: str) -> str:
    """Return a label for a dotted path without a look at the database."""
    return _("Start") if path == graph.START else graph.guess_label(path)


def annotate_label(field: str) -> Coalesce:
    """Return an expression for the label of the node that ``field`` names; the path itself where it is not known."""
    label = Step.objects.filter(path=OuterRef(field)).exclude(label="").values("label")[:1]
    return Coalesce(Subquery(label, output_field=CharField()), F(field), output_field=CharField())


def read_annotated_label(value: str, path: str) -> str:
    """Turn what ``annotate_label`` gave into the text to show."""
    return guess_label(path) if value == path else value
