"""What a Job starts with: validated at its start, kept as the result of its start run, and read back by its steps."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.utils.crypto import constant_time_compare
from pydantic import BaseModel, ValidationError

from django_wfe.definition.graph import has_fields
from django_wfe.engine.inputs.given_times import settle_times
from django_wfe.engine.inputs.validation import (
    NOT_GIVEN,
    ValidInput,
    encode_valid,
    load_input,
    validate_encoded,
    validate_input,
)
from django_wfe.engine.project_code.classes import load_workflow
from django_wfe.exceptions import CodeNotLoaded, InputNotAsked, OtherInput
from django_wfe.models import JobEvent, StepRun
from django_wfe.models.workflows import load_graph
from django_wfe.values.encoding import dump, encode
from django_wfe.values.large_values import resolve
from django_wfe.values.revealing import reveal
from django_wfe.values.sentences import gettext as _

DIGESTS = "input_digests"
"""The name in the data of a Job's first event under which the digests of what was given are kept."""

ABOUT_JOB_INPUT = "This is about the input of the job that was to start."
"""The note of an error about it: what its first step asks for may be at fault in the same call."""

Digests = dict[str, str]
"""A keyed digest of what was given for each field; of what a default added there is none."""


@dataclass(slots=True)
class GivenInput:
    """What was given for a Job, as it was given: a ``ValidInput``, or JSON text until ``encode`` has validated it."""

    schema: type[BaseModel]
    data: ValidInput | str = field(repr=False)

    @property
    def model(self) -> BaseModel | None:
        """What was validated; None before."""
        return self.data.model if isinstance(self.data, ValidInput) else None

    def encode(self) -> str:
        """Validate it, and return what is kept as JSON text.

        Raises:
            pydantic.ValidationError, NotEncodable, CodeNotLoaded, InputCheckFailed: as of ``validate_input``; the first
                with a note by which ``is_about_job_input`` knows it.
        """
        try:
            if isinstance(self.data, ValidInput):
                self.data = validate_input(self.schema, self.data, _name_input)
            else:
                self.data = validate_encoded(self.schema, self.data, _name_input)
        except ValidationError as error:
            error.add_note(ABOUT_JOB_INPUT)
            raise
        # Its secrets too: the first step's _input has the same names and defaults with a secret and without.
        return encode_valid(self.data, _name_input, reveals=True)

    def digest(self) -> Digests:
        """Return the digests of its fields."""
        return {name: _digest(value, django_settings.SECRET_KEY) for name, value in self._list_given().items()}

    def find_differences(self, kept: Digests | None) -> list[str]:
        """Return the names of the fields that were given otherwise, or in one of the two places alone.

        Args:
            kept: the digests of the Job; None if it started before its Workflow had an InputSchema: nothing differs.
        """
        if kept is None:
            return []
        fields = self._list_given()
        keys = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
        return sorted(
            name
            for name in fields.keys() | kept.keys()
            if name not in fields
            or not any(constant_time_compare(_digest(fields[name], key), kept.get(name, "")) for key in keys)
        )

    def _list_given(self) -> Mapping[str, Any]:
        """Return what was given by the names of the fields, whatever alias it came under; "" for what is no object.

        The meaning of its times is settled, as it is in a ``ValidInput``: the doors tell the same of the same input.
        """
        settled = self.data.given if isinstance(self.data, ValidInput) else settle_times(self.schema, self.data)[0]
        given = json.loads(settled)
        if not isinstance(given, dict):
            return {"": given}
        aliases: dict[str, str] = {}
        for name, declared in self.schema.model_fields.items():
            for alias in (declared.alias, declared.validation_alias):
                if isinstance(alias, str):
                    aliases[alias] = name
        return {str(aliases.get(name, name)): value for name, value in given.items()}


def read_given_input(workflow_path: str, definition_id: int, given: Any) -> GivenInput | None:
    """Return what was given for a Job that is to start, or None if its Workflow asks for nothing.

    Args:
        given: a dict, a model, a ``ValidInput``, or ``NOT_GIVEN`` for no field at all.

    Raises:
        InputNotAsked: something was given, and the Workflow asks for nothing.
        NotEncodable: it cannot be kept as JSON.
        CodeNotLoaded: this process lacks the code that validates it.
    """
    if load_graph(definition_id).input_schema is None:
        if given is NOT_GIVEN:
            return None
        raise InputNotAsked(
            _("%(workflow)s starts without input. Leave input out, or give the workflow an InputSchema with a field.")
            % {"workflow": workflow_path}
        )
    schema = require_job_input_schema(workflow_path)
    if isinstance(given, ValidInput):
        return GivenInput(schema, given)
    if isinstance(given, BaseModel):
        # With its secrets, which it would write as asterisks, and without what its defaults added.
        given = reveal(given.model_dump(mode="python", round_trip=True, exclude_unset=True, warnings=False))
    return GivenInput(schema, encode({} if given is NOT_GIVEN else given, _name_input))


def find_job_input_schema(workflow_path: str) -> type[BaseModel] | None:
    """Return the model of what Jobs of a Workflow start with, by the code of this process; None if with nothing.

    Raises:
        CodeNotLoaded: this process lacks the Workflow's code.
    """
    schema: Any = load_workflow(workflow_path).InputSchema
    return schema if has_fields(schema) else None


def require_job_input_schema(workflow_path: str) -> type[BaseModel]:
    """Return the model of what Jobs of a Workflow start with, whose definition says that they start with data.

    Raises:
        CodeNotLoaded: this process lacks the code, or its Workflow no longer asks for anything.
    """
    schema = find_job_input_schema(workflow_path)
    if schema is None:
        raise CodeNotLoaded(
            _("%(workflow)s no longer has an InputSchema, and the workflow has not been read again since.")
            % {"workflow": workflow_path}
        )
    return schema


def is_about_job_input(error: ValidationError) -> bool:
    """Return whether an error of a start is about what the Job starts with, and not about its first step's input."""
    return ABOUT_JOB_INPUT in getattr(error, "__notes__", ())


def require_same_input(job_id: int, key: str | None, given: GivenInput | None) -> None:
    """Refuse to take a Job that was started with other input for the one that is asked for.

    Raises:
        OtherInput: with the names of the fields that differ.
    """
    if given is None:
        return
    fields = given.find_differences(load_digests([job_id]).get(job_id))
    if fields:
        raise OtherInput(
            _("Job %(job)s was started with the key %(key)s and other input: %(fields)s. Use another key.")
            % {"job": job_id, "key": key, "fields": name_fields(fields)},
            fields=fields,
        )


def load_digests(job_ids: Sequence[int]) -> dict[int, Digests]:
    """Return the digests of what each of these Jobs was started with; none of those that started without data."""
    events = JobEvent.objects.filter(job__in=job_ids, kind=JobEvent.Kind.STARTED).order_by("-pk")
    rows = events.values_list("job_id", "data")
    return {job_id: data[DIGESTS] for job_id, data in rows if isinstance(data, dict) and DIGESTS in data}


def name_fields(fields: Iterable[str]) -> str:
    """Return the names of fields in a sentence."""
    return ", ".join(name or _("the input") for name in fields)


def load_job_input(job_id: int, workflow_path: str) -> BaseModel | None:
    """Return what a Job was started with as the model of its Workflow, secrets in clear; None if it started without.

    Raises:
        pydantic.ValidationError: if it no longer fits.
        UnreadableSecret, CodeNotLoaded: as of ``load_input``.
        LargeValueUnavailable: it is in a file that cannot be read.
    """
    stored = StepRun.objects.filter(job=job_id, number=0).order_by("-attempt").values_list("result", flat=True).first()
    schema = find_job_input_schema(workflow_path) if stored is not None else None
    return load_input(schema, dump(resolve(stored))) if schema is not None else None


def _name_input() -> str:
    return _("the input of the job")


_write_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""(``json.dumps`` would make an encoder for each value.)"""


def _digest(value: Any, secret: str | bytes) -> str:
    text = _write_sorted(value)
    return hmac.digest(_derive_key(secret), text.encode(), "sha256").hex()[:32]


@lru_cache(maxsize=8)
def _derive_key(secret: str | bytes) -> bytes:
    """Return the key of the digests, as Django's ``salted_hmac`` makes it of a salt and the project's secret."""
    return hashlib.sha256(b"django_wfe.job_input" + (secret.encode() if isinstance(secret, str) else secret)).digest()
