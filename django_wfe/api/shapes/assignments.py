"""What the calls about assignments take and answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_wfe.api.shapes.bodies import Body
from django_wfe.api.shapes.schema import component

LONGEST_NAME = 254


@component
class AssignBody(Body):
    """Who is to answer."""

    person = serializers.CharField(
        allow_null=True, max_length=LONGEST_NAME, help_text="The name that they sign in with; null for yourself."
    )
    held_by = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=LONGEST_NAME,
        help_text="Who has it now, by the same name: if it is somebody else, nothing is done. Leave it out for nobody.",
    )


@component
class HandOverBody(Body):
    """Whose work goes to whom."""

    to = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=LONGEST_NAME,
        help_text="The name that the person signs in with who gets it; null for yourself.",
    )
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text="Why; kept in the history of each job."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields with the one whose name is a word of Python's."""
        whose = serializers.CharField(max_length=LONGEST_NAME, help_text="The name of the person who has it now.")
        return {"from": whose, **super().get_fields()}


@component
class AssignmentSerializer(serializers.Serializer[Any]):
    """Who holds a question."""

    step_run = serializers.IntegerField(help_text="The id of the step run that waits.")
    person = serializers.CharField(allow_null=True, help_text="The name that they sign in with; null for nobody.")


@component
class HandedOverSerializer(serializers.Serializer[Any]):
    """What became of a person's work."""

    moved = serializers.IntegerField(help_text="How many questions have another holder now.")
    kept = serializers.IntegerField(help_text="How many stayed, since the other person may not answer them.")
