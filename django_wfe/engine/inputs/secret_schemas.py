"""Where what was, or will be, given to a node holds secrets: by its definition, and by its code where that is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from django_wfe.definition.graph import START, describe_schema, has_input
from django_wfe.definition.secret_places import SecretPlaces
from django_wfe.engine.inputs.job_input import find_job_input_schema
from django_wfe.engine.project_code.classes import load_node
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import BulkRun, Definition, Job
from django_wfe.models.workflows import load_graph
from django_wfe.values.sealing import seal, seal_places


def find_places_of(definition_id: int, step: str) -> SecretPlaces:
    """Return the places that hold secrets in the input of a node of a definition.

    Definitions that were recorded before secrets were marked in them do not tell all, so the code is asked as well.
    """
    if step == START:
        return _find_places_of_job_input(definition_id)
    node = load_graph(definition_id).get_node(step)
    schemas = [node.input_schema] if node is not None and node.input_schema is not None else []
    try:
        step_class = load_node(step)
    except CodeNotLoaded:
        return SecretPlaces.read(*schemas)
    return SecretPlaces.read(
        *schemas, *([describe_schema(step_class.UserInputSchema)] if has_input(step_class) else [])
    )


def _find_places_of_job_input(definition_id: int) -> SecretPlaces:
    """Return the places that hold secrets in what a Job starts with: kept as the result of its start."""
    known = load_graph(definition_id).input_schema
    path = Definition.objects.values_list("workflow__path", flat=True).get(pk=definition_id)
    try:
        today = find_job_input_schema(path)
    except CodeNotLoaded:
        today = None
    return SecretPlaces.read(
        *[known] if known is not None else [], *[describe_schema(today)] if today is not None else []
    )


def find_places_of_options(schema: type[BaseModel] | None) -> SecretPlaces:
    """Return the places that hold secrets in the options of a verb."""
    return SecretPlaces.read(*[describe_schema(schema)] if schema is not None else [])


def seal_options(options: Mapping[str, Any], bulk: BulkRun, schema: type[BaseModel] | None = None) -> dict[str, Any]:
    """Return the options of a verb with the secrets that its ``schema`` knows sealed.

    So is the external input in them, if a Job of the bulk run asks for a secret. As a whole: its Jobs may be of several
    workflows, which find their secrets at different places.

    Raises:
        CodeNotLoaded: the package cryptography is not installed.
    """
    sealed: dict[str, Any] = seal_places(dict(options), find_places_of_options(schema))
    if "external_data" not in sealed:
        return sealed
    jobs = Job.objects.filter(pk__in=bulk.items.values("job"))
    nodes = jobs.order_by().values_list("definition_id", "current_step").distinct()
    if not any(find_places_of(definition_id, step) for definition_id, step in nodes):
        return sealed
    return {**sealed, "external_data": seal(sealed["external_data"])}
