"""The filters of the inbox: what its address says, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import list_visible_workflows
from django_wfe.engine.lifecycle import Holder, list_holders
from django_wfe.engine.queries.found_by import have_attributes, read_found_by
from django_wfe.engine.queries.inbox import Assigned
from django_wfe.models import Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.values.attributes import LONGEST_NAME, LONGEST_VALUE
from django_wfe.values.identifiers import parse_id

WORKFLOWS_SHOWN = 200
PEOPLE_SHOWN = 100
LONGEST_STEP = 255
LONGEST_ATTRIBUTE = LONGEST_NAME + 1 + LONGEST_VALUE


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address says: whose, of which workflow, step and person; ``after`` begins a page, ``open`` is answered.

    ``person`` is the key of a user as text, ``attribute`` what ``read_found_by`` reads.
    """

    assigned: Assigned = "all"
    workflow: int | None = None
    step: str = ""
    person: str = ""
    attribute: str = ""
    after: int | None = None
    open: int | None = None

    @classmethod
    def read(cls, data: Any) -> Filters:
        """Read them; what makes no sense is left out."""
        assigned, step, person, attribute = (data.get(name, "") for name in ("assigned", "step", "person", "attribute"))
        return cls(
            assigned=assigned if assigned in get_args(Assigned) else "all",
            workflow=parse_id(data.get("workflow", "")),
            step=step if len(step) <= LONGEST_STEP and is_storable(step) else "",
            person=person if read_key(person) is not None else "",
            attribute=attribute[:LONGEST_ATTRIBUTE].strip() if is_storable(attribute) else "",
            after=parse_id(data.get("after", "")),
            open=parse_id(data.get("open", "")),
        )

    def write(self, **changes: Any) -> str:
        """Return them as the query of an address, with some of them changed."""
        return urlencode(self.list_values(**changes))

    def list_values(self, **changes: Any) -> list[tuple[str, Any]]:
        """Return the names and values that narrow anything, with some of them changed."""
        names = ("assigned", "workflow", "step", "person", "attribute", "after", "open")
        values = {**{name: getattr(self, name) for name in names}, **changes}
        return [(name, value) for name, value in values.items() if value not in (None, "", "all")]

    @property
    def place(self) -> list[tuple[str, Any]]:
        """What a button of the list posts, to come back to where it was pressed."""
        return self.list_values(open=None)

    @property
    def options(self) -> dict[str, Any]:
        """What ``list_waiting`` takes besides ``assigned``."""
        person = read_key(self.person)
        options: dict[str, Any] = {"workflow": self.workflow, "step": self.step}
        if person is not None:
            options["person"] = person
        if self.attribute and not self.problem:
            options["found_by"] = read_found_by([self.attribute])
        return options

    @property
    def problem(self) -> str:
        """Why the attribute narrows nothing, or ""."""
        try:
            read_found_by([self.attribute])
        except ValueError as error:
            return str(error)
        return ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from. Steps only once a workflow is chosen."""

    workflows: Sequence[Workflow]
    steps: Sequence[tuple[str, str]]
    holders: Sequence[Holder]
    has_attributes: bool


def read_choices(user: Any, filters: Filters) -> tuple[Choices, Filters]:
    """Return what there is to choose from, and the filters without a step that the chosen workflow does not have."""
    # Who may not see workflows gets no choice.
    visible = list_visible_workflows(user).filter(deleted=False)
    workflows = list(visible.only("name", "label", "current_definition")[:WORKFLOWS_SHOWN])
    chosen = next((row for row in workflows if row.pk == filters.workflow), None)
    steps: list[tuple[str, str]] = []
    if chosen is not None and chosen.current_definition_id is not None:
        nodes = load_graph(chosen.current_definition_id).nodes
        steps = [(node.path, node.label) for node in nodes if node.asks_input]
        if filters.step not in {path for path, _label in steps}:
            filters = replace(filters, step="")
    return Choices(workflows, steps, list_holders(user)[:PEOPLE_SHOWN], have_attributes()), filters


def read_key(text: str) -> Any:
    """Read the key of a user; None if the text cannot be one."""
    if not text or not is_storable(text):
        return None
    field = get_user_model()._meta.pk
    try:
        key = field.to_python(text)
    except (ValidationError, ValueError, OverflowError):
        return None
    return None if isinstance(key, int) and parse_id(text) is None else key
