"""The shapes of what comes in. An unknown field is refused by name: a misspelled "key" must not start a second job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from rest_framework import serializers

from django_wfe.api.shapes.schema import component
from django_wfe.models import JobState
from django_wfe.values.identifiers import LARGEST_ID
from django_wfe.values.json_text import UnreadableJson, read_json

LARGEST_NUMBER = 2**31 - 1
FORM_FIELDS = frozenset({"csrfmiddlewaretoken"})
"""What HTML forms send besides the fields."""

LONGEST_WORD = 64
"""Characters of what can only be one of a few words."""

UNKNOWN_NAMED = 10
"""So many unknown fields an answer names."""


class JSONValueField(serializers.JSONField):
    """A value as JSON: as it is in a body of JSON, and as text in a form."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the value; text of a form is read as every JSON that comes in."""
        if isinstance(data, UploadedFile):
            self.fail("invalid")
        if not getattr(data, "is_json_string", False):
            return data  # the parser has read it
        try:
            return read_json(str(data))
        except UnreadableJson as error:
            raise serializers.ValidationError(str(error)) from error


class BoundedListField(serializers.ListField):
    """A list whose length is looked at before its items are."""

    def run_child_validation(self, data: Any) -> list[Any]:
        """Refuse what is too long as a whole, in place of telling of each item."""
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        validated: list[Any] = super().run_child_validation(data)
        return validated


class Body(serializers.Serializer[Any]):
    """A body whose fields are all known."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown fields, naming them, before looking at the known ones."""
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in data if name not in self.fields and name not in FORM_FIELDS)
            if unknown:
                message = _("Unknown field; this call takes %(known)s.") % {"known": ", ".join(self.fields)}
                raise serializers.ValidationError({name: [message] for name in unknown[:UNKNOWN_NAMED]})
        return super().to_internal_value(data)


@component
class StartBody(Body):
    """What to start."""

    workflow_id = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    key = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=255,
        trim_whitespace=False,
        help_text="A second start of this workflow with the same key and the same input gives the first job.",
    )
    input = JSONValueField(
        required=False,
        allow_null=True,
        help_text="What the job starts with, as input_schema of its workflow describes it.",
    )
    first_input = JSONValueField(
        required=False,
        allow_null=True,
        help_text="The input of the first step, validated and committed with the start; needs provide_input_job too. "
        "With a key that has been seen it is not looked at.",
    )


@component
class ReasonBody(Body):
    """What a call takes that needs no more than a reason."""

    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text="Why; kept in the history."
    )


@component
class OperatorBody(Body):
    """What every operator verb takes."""

    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text="Why; kept in the job's history."
    )
    expected_state = serializers.CharField(
        required=False,
        max_length=LONGEST_WORD,
        help_text="Do it only if the job is in this state, such as FAILED; otherwise 409.",
    )

    def validate_expected_state(self, value: str) -> str:
        """Refuse what is not a state."""
        if value not in set(JobState):
            known = ", ".join(JobState)
            raise serializers.ValidationError(
                _("%(value)r is not a state. Use one of %(known)s.") % {"value": value, "known": known}
            )
        return value


class PlacedBody(OperatorBody):
    """What the verbs take that are about the step which the job is at."""

    expected_step_run = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=LARGEST_ID,
        help_text="Do it only if this step run is still the job's last; otherwise 409.",
    )
