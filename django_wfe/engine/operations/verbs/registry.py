"""All verbs by their names: the engine's own, and those that a project registers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from django_wfe.engine.operations.verbs.base import BulkVerb, Verb, list_option_names
from django_wfe.engine.operations.verbs.ending import CANCEL
from django_wfe.engine.operations.verbs.holding import PAUSE, RESUME
from django_wfe.engine.operations.verbs.repairing import RERUN, RETRY, SKIP
from django_wfe.models import BulkRun, JobEvent

Registered = TypeVar("Registered", bound="BulkVerb | type[BulkVerb]")

VERBS: dict[str, Verb] = {verb.name: verb for verb in (RETRY, SKIP, RERUN, PAUSE, RESUME, CANCEL)}
"""Every verb for Jobs by its name, in the order in which a page shows them."""

RESERVED_NAMES = frozenset(
    {"add", "answer", "bulk", "change", "delete", "graph", "history", "input", "list", "log", "logs", "show", "start"}
    | {"view_data"}
)
"""What addresses, commands and the policy call otherwise."""

RESERVED_OPTIONS = frozenset(
    {
        *("actor", "source", "reason", "expected_state", "expected_step_run", "job_id", "item"),  # of the call itself
        *(
            "filter_state",
            "filter_workflow",
            "incident",
            "limit",
            "stop_on",
            "wait",
            "dry_run",
            "preview",
        ),  # of wfe_job
        *("json", "user", "help", "version", "verbosity", "settings", "pythonpath", "traceback"),
        *("no_color", "force_color", "skip_checks", "jobs", "verb"),
    }
)

_ENGINE = MappingProxyType(dict(VERBS))
_FOR_LISTS: dict[str, BulkVerb] = {}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


def register(verb: Registered) -> Registered:
    """Have a verb appear in the admin, REST, ``wfe_job`` and bulk runs; call it in ``AppConfig.ready``.

    Args:
        verb: a subclass of ``Verb`` or ``BulkVerb``, or an instance of one. It is returned: usable as a decorator.

    Raises:
        TypeError: it is neither.
        ValueError: its name is taken or cannot be one, or something is missing.
    """
    made = verb() if isinstance(verb, type) else verb
    if not isinstance(made, BulkVerb):
        raise TypeError(f"{verb!r} is not a verb: register a subclass of django_wfe.verbs.Verb.")
    _check(made)
    if isinstance(made, Verb):
        VERBS[made.name] = made
        JobEvent.words_of_verbs[made.event or made.name] = made.event_words or made.label
    else:
        _FOR_LISTS[made.name] = made
    return verb


def unregister(name: str) -> None:
    """Take a project's verb out again; tests need it.

    Raises:
        ValueError: there is no such verb, or it is the engine's.
    """
    if name in _ENGINE or find_verb(name) is None:
        raise ValueError(f"{name!r} is not a verb that was registered.")
    verb = VERBS.pop(name, None)
    _FOR_LISTS.pop(name, None)
    if verb is not None:
        JobEvent.words_of_verbs.pop(verb.event or verb.name, None)


def find_verb(name: str) -> BulkVerb | None:
    """Return the verb of this name, whether it is for Jobs or for other entries, or None if there is none."""
    return VERBS.get(name) or _FOR_LISTS.get(name)


def get_bulk_verb(name: str) -> BulkVerb:
    """Return the verb of this name, whether it is for Jobs or for other entries.

    Raises:
        ValueError: there is none.
    """
    verb = find_verb(name)
    if verb is None:
        raise ValueError(f"{name!r} is not a verb. Give one of {', '.join(list_names())}.")
    return verb


def list_names() -> list[str]:
    """Return the names of all verbs."""
    return [*VERBS, *_FOR_LISTS]


def list_actions() -> Mapping[str, Verb]:
    """Return the verbs that the Job list offers for many Jobs, in the order of their names."""
    return {name: VERBS[name] for name in sorted(VERBS) if VERBS[name].is_action}


def _check(verb: BulkVerb) -> None:
    kind, name = type(verb).__qualname__, verb.name
    longest = min(BulkRun._meta.get_field("verb").max_length or 0, 32)
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise ValueError(
            f"{kind}.name is {name!r}: give 1 to {longest} small letters, digits and underscores, a letter first."
        )
    known = find_verb(name)
    if name in RESERVED_NAMES or (known is not None and type(known) is not type(verb)):
        raise ValueError(f"{kind}.name is {name!r}, which is taken: choose another name.")
    if not str(verb.label):
        raise ValueError(f"{kind}.label is empty: give the text of its button.")
    if "." not in verb.permission:
        raise ValueError(f'{kind}.permission is {verb.permission!r}: give "app.codename".')
    if verb.Options is not None and not (isinstance(verb.Options, type) and issubclass(verb.Options, BaseModel)):
        raise TypeError(f"{kind}.Options is {verb.Options!r}: give a pydantic model class, or None.")
    for option in list_option_names(verb):
        if option in RESERVED_OPTIONS:
            raise ValueError(f"{kind}.Options.{option}: the name is taken, choose another one.")
    if isinstance(verb, Verb):
        _check_event(kind, verb.event or name)


def _check_event(kind: str, event: str) -> None:
    longest = JobEvent._meta.get_field("kind").max_length or 0
    if event in JobEvent.Kind.values:
        raise ValueError(f"{kind}.event is {event!r}, which the engine writes itself: choose another one.")
    if len(event) > longest:
        raise ValueError(f"{kind}.event is {event!r}: give at most {longest} characters.")
