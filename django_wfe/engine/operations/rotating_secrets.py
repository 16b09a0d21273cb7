"""Encrypts all stored secrets with the first key: those under another, and those of before there was any."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import F, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from django_wfe.definition.secret_places import SecretPlaces
from django_wfe.engine.inputs.secret_schemas import find_places_of, seal_options
from django_wfe.engine.large_values.keeping import hold_values, keep_value, release_value
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import LargeValueUnavailable, UnreadableSecret
from django_wfe.models import Assignment, BulkItem, BulkRun, Definition, JobEvent, StepRun
from django_wfe.models.workflows import load_graph
from django_wfe.values.encoding import REFERENCE_MARK, dump
from django_wfe.values.large_values import Reference, read_reference
from django_wfe.values.sealing import MARK, reseal, seal_places

REFUSED = "external_data"
"""The name of refused input in a line of the history."""

IS_SEALED = '"is_sealed": true'
"""What PostgreSQL writes in a reference to a file in which secrets stand."""

logger = logging.getLogger("django_wfe.engine")

BATCH = 500
"""How many rows are read at a time; each is changed by itself, so that nothing is held."""

_Nodes = dict[tuple[int, str], SecretPlaces]


@dataclass(slots=True)
class Rotation:
    """How many rows hold secrets, how many of them were changed, and how many no key decrypts."""

    found: int = 0
    changed: int = 0
    unreadable: int = 0


def rotate_secrets(*, tell: Callable[[Rotation], None] = lambda rotation: None) -> Rotation:
    """Encrypt every stored secret with the first key. Cut off and called again, it does what is left.

    Args:
        tell: called after each batch with what was done so far.

    Raises:
        CodeNotLoaded: the package cryptography is not installed.
    """
    rotation = Rotation()
    nodes = _find_nodes()
    steps = {step for _definition_id, step in nodes}
    runs = StepRun.objects.filter(external_data__isnull=False)
    starts = StepRun.objects.filter(number=0, result__isnull=False)
    events = JobEvent.objects.filter(kind=JobEvent.Kind.INPUT_REFUSED)
    drafts = Assignment.objects.filter(draft__isnull=False, step_run__step__in=steps)
    for rows, column, step, definition, change in (
        (runs, "external_data", "step", "job__definition_id", _seal),
        (starts, "result", "step", "job__definition_id", _seal),
        (events, "data", "step_run__step", "job__definition_id", _seal_event),
        (drafts, "draft", "step_run__step", "step_run__job__definition_id", _clear_draft),
    ):
        chosen = rows.annotate(text=Cast(column, TextField()), node_step=F(step), node_definition=F(definition))
        wanted = chosen.filter(
            Q(node_step__in=steps)
            | Q(text__contains=MARK)
            | (Q(text__contains=REFERENCE_MARK) & Q(text__contains=IS_SEALED))
        )
        if column != "draft":
            wanted = wanted.annotate(owner=F("job_id"))
        for row in _read_in_batches(wanted, rotation, tell):
            places = nodes.get((row["node_definition"], row["node_step"]), SecretPlaces([]))
            _keep(rows, column, row, rotation, partial(change, places=places))
    bulk_runs = BulkRun.objects.annotate(text=Cast("options", TextField()))
    bulk_runs = bulk_runs.filter(Q(options__has_key="external_data") | Q(text__contains=MARK))
    for row in _read_in_batches(bulk_runs, rotation, tell):
        _keep(BulkRun.objects.all(), "options", row, rotation, partial(_seal_options, bulk=BulkRun(pk=row["pk"])))
    items = BulkItem.objects.exclude(options={}).annotate(text=Cast("options", TextField())).filter(text__contains=MARK)
    for row in _read_in_batches(items, rotation, tell):
        _keep(BulkItem.objects.all(), "options", row, rotation, reseal)
    return rotation


def _find_nodes() -> _Nodes:
    """Find the nodes that ask for secrets, of all definitions that there are or were."""
    nodes: _Nodes = {}
    for definition_id in Definition.objects.order_by("pk").values_list("pk", flat=True):
        for node in load_graph(definition_id).nodes:
            places = find_places_of(definition_id, node.path) if node.asks_input or node.is_start else None
            if places:
                nodes[definition_id, node.path] = places
    return nodes


def _read_in_batches(
    rows: QuerySet[Any], rotation: Rotation, tell: Callable[[Rotation], None]
) -> Iterator[dict[str, Any]]:
    names = [name for name in ("text", "node_step", "node_definition", "owner") if name in rows.query.annotations]
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values("pk", *names)[:BATCH]):
        yield from batch
        last = batch[-1]["pk"]
        tell(rotation)


def _keep(
    rows: QuerySet[Any], column: str, row: dict[str, Any], rotation: Rotation, change: Callable[[Any], Any]
) -> None:
    stored = json.loads(row["text"])
    try:
        before, reference = _load(stored, column)
        after = change(before)
    except UnreadableSecret:
        rotation.found += 1
        rotation.unreadable += 1
        return
    except LargeValueUnavailable as error:
        logger.error("%s %s: %s", rows.model._meta.label, row["pk"], error)
        rotation.unreadable += 1
        return
    rotation.found += MARK in json.dumps(after) or after != before
    if after == before:
        return
    # Only what was read is replaced: a worker may have given the input back meanwhile, or a person given another.
    unchanged = rows.annotate(text=Cast(column, TextField())).filter(pk=row["pk"], text=row["text"])
    with atomic():
        written, kept = _write(after, column, is_in_file=reference is not None)
        text = Cast(Value(written, output_field=TextField()), JSONField())
        changed = unchanged.update(**{column: text})
        if changed and reference is not None:
            hold_values(row["owner"], kept)
            release_value(row["owner"], reference)
    rotation.changed += changed


def _load(stored: Any, column: str) -> tuple[Any, Reference | None]:
    """Return what stands in a row with what is in a file in its place, and the reference that stood there.

    It is the value itself, or in a line of the history the one under the name of the refused input.
    """
    is_event = column == "data"
    reference = read_reference(stored.get(REFUSED) if is_event else stored)
    if reference is None:
        return stored, None
    return ({**stored, REFUSED: reference.load()} if is_event else reference.load()), reference


def _write(after: Any, column: str, *, is_in_file: bool) -> tuple[str, str | None]:
    """Return what is to stand in the row as JSON text, and that of the value in it if it may be in a file."""
    if not is_in_file:
        return dump(after), None
    if column != "data":
        kept = keep_value(dump(after))
        return kept, kept
    kept = keep_value(dump(after[REFUSED]))
    return dump({**after, REFUSED: json.loads(kept)}), kept


def _seal(data: Any, places: SecretPlaces) -> Any:
    return reseal(seal_places(data, places))


def _seal_event(data: Any, places: SecretPlaces) -> Any:
    return {**data, "external_data": _seal(data["external_data"], places)} if "external_data" in data else data


def _seal_options(options: Any, bulk: BulkRun) -> Any:
    return reseal(options if MARK in json.dumps(options) else seal_options(options, bulk))


def _clear_draft(draft: Any, places: SecretPlaces) -> Any:
    """Leave secrets out of a draft, as forms do that know them. Its names are paths, such as "logins-0-password"."""
    if not isinstance(draft, dict):
        return draft
    owners = {"-".join(parts[:end]) for parts in map(_split, draft) for end in range(1, len(parts))}
    return {
        path: texts
        for path, texts in draft.items()
        # A path that others lead on from only counts items.
        if path in owners or places.cover(nested := _nest(_split(path), texts)) == nested
    }


def _split(path: str) -> list[str]:
    return path.split("-")


def _nest(parts: list[str], value: Any) -> Any:
    if not parts:
        return value if value != [] else [""]
    inner = _nest(parts[1:], value)
    return [inner] if parts[0].isdecimal() else {parts[0]: inner}
