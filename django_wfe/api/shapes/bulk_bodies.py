"""What a bulk run is asked for with, and what is told of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework import ISO_8601, serializers

from django_wfe.api.shapes.bodies import LONGEST_WORD, Body, BoundedListField
from django_wfe.api.shapes.schema import component
from django_wfe.api.shapes.verb_bodies import build_verb_body
from django_wfe.engine.lifecycle import VERBS
from django_wfe.engine.queries.bulk_progress import BulkProgress
from django_wfe.engine.queries.found_by import MOST, FoundBy, read_found_by
from django_wfe.models import BulkEvent, BulkItem, BulkRun, JobState
from django_wfe.values.attributes import LONGEST_NAME, LONGEST_VALUE
from django_wfe.values.identifiers import LARGEST_ID
from django_wfe.wording.bulk_stops import explain_stop

MOST_IDS = 10_000
MOST_STATES = 100
LONGEST_ATTRIBUTE = LONGEST_NAME + 1 + LONGEST_VALUE


@component
class BulkFilterBody(Body):
    """Which jobs: those that match all that is given."""

    state = BoundedListField(
        child=serializers.CharField(max_length=LONGEST_WORD),
        required=False,
        max_length=MOST_STATES,
        help_text="Jobs in one of these states.",
    )
    workflow = BoundedListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
        required=False,
        max_length=MOST_IDS,
        help_text="Jobs of one of these workflows, by id.",
    )
    incident = serializers.CharField(required=False, max_length=64, help_text="Jobs that failed in this way.")

    attribute = BoundedListField(
        child=serializers.CharField(max_length=LONGEST_ATTRIBUTE),
        required=False,
        max_length=MOST,
        help_text="Jobs with all of these attributes, such as customer=ACME.",
    )
    subject = serializers.CharField(
        required=False, max_length=LONGEST_ATTRIBUTE, help_text="Jobs about this row of the project: shop.Order:17."
    )

    def validate_attribute(self, value: list[str]) -> FoundBy:
        """Read them."""
        return _read_found_by(value, "")

    def validate_subject(self, value: str) -> FoundBy:
        """Read it."""
        return _read_found_by([], value)

    def validate_state(self, value: list[str]) -> list[str]:
        """Refuse what is not a state."""
        for state in value:
            if state not in set(JobState):
                known = ", ".join(JobState)
                raise serializers.ValidationError(
                    _("%(value)r is not a state. Use one of %(known)s.") % {"value": state, "known": known}
                )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a filter that would let everything through."""
        if not any(attrs.values()):
            raise serializers.ValidationError(
                _("At least one of state, workflow, incident, attribute and subject is required.")
            )
        return attrs


def _read_found_by(attributes: list[str], subject: str) -> FoundBy:
    try:
        return read_found_by(attributes, subject)
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from error


@component
class BulkBody(Body):
    """A verb, and the jobs that it is for."""

    verb = serializers.CharField(max_length=LONGEST_WORD, help_text="One of: " + ", ".join(VERBS))
    jobs = BoundedListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
        required=False,
        allow_empty=False,
        max_length=MOST_IDS,
        help_text="The jobs by their ids, or else a filter.",
    )
    filter = BulkFilterBody(required=False)
    options = serializers.DictField(
        required=False, help_text="What the verb takes besides a reason, as in the call for one job."
    )
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text="Why; kept in each job's history."
    )
    preview = serializers.BooleanField(default=False, help_text="Only say what would happen.")
    stop_on_fingerprint = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Stop by itself when this failure comes back."
    )
    stop_on_failure = serializers.BooleanField(
        default=False, help_text="Stop by itself when one of the jobs fails again, in whichever way."
    )

    def validate_verb(self, value: str) -> str:
        """Refuse what is not a verb."""
        if value not in VERBS:
            raise serializers.ValidationError(
                _("%(value)r is not a verb. Use one of %(known)s.") % {"value": value, "known": ", ".join(VERBS)}
            )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for either jobs or a filter, and check the options by the verb."""
        if ("jobs" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError(_("Either jobs or filter is required, not both."))
        if attrs["stop_on_failure"] and attrs.get("stop_on_fingerprint"):
            raise serializers.ValidationError(_("Either stop_on_failure or stop_on_fingerprint is possible, not both."))
        options = build_verb_body(VERBS[attrs["verb"]])(data=attrs.get("options", {}))
        del options.fields["reason"]  # it stands beside the options, for all verbs
        options.fields.pop("expected_step_run", None)  # it is about one job
        if not options.is_valid():
            raise serializers.ValidationError(
                {f"options.{name}": messages for name, messages in options.errors.items()}
            )
        return {**attrs, "options": options.validated_data}


@component
class BulkPreviewSerializer(serializers.Serializer[Any]):
    """What a bulk run would do now."""

    total = serializers.IntegerField()
    allowed = serializers.IntegerField(help_text="How many jobs would be changed.")
    left_alone = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many would be left alone, by the reason."
    )


@component
class BulkEventSerializer(serializers.ModelSerializer[BulkEvent]):
    """One line of a bulk run's history."""

    kind = serializers.CharField(read_only=True, help_text="One of: stopped, actor_gone, returned.")
    source = serializers.CharField(read_only=True, help_text="Where the call came from; engine: it stopped itself.")  # type: ignore[assignment]
    created_at = serializers.DateTimeField(read_only=True, format=ISO_8601)

    class Meta:
        model = BulkEvent
        fields: ClassVar[list[str]] = ["kind", "actor_name", "source", "reason", "created_at"]
        read_only_fields = fields


@component
class BulkRunSerializer(serializers.ModelSerializer[BulkRun]):
    """A bulk run, and how far it is."""

    verb = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True, help_text="One of: WAITING, RUNNING, FINISHED, STOPPED.")
    source = serializers.CharField(read_only=True, help_text="Where it was started: admin, rest, command, python.")  # type: ignore[assignment]
    created_at = serializers.DateTimeField(read_only=True, format=ISO_8601)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True, format=ISO_8601)
    stop_reason = serializers.SerializerMethodField(help_text='Why it stopped; "" where you do not see all its jobs.')
    total = serializers.SerializerMethodField(help_text="How many of the jobs that you see it is for.")
    pending = serializers.SerializerMethodField(help_text="How many jobs are still to come.")
    done = serializers.SerializerMethodField(help_text="How many jobs were changed.")
    refused = serializers.SerializerMethodField(help_text="How many jobs were left alone.")
    events = BulkEventSerializer(many=True, read_only=True, help_text="Its history: who stopped it, or why it did.")

    class Meta:
        model = BulkRun
        fields: ClassVar[list[str]] = [
            "id",
            "verb",
            "state",
            "reason",
            "stop_on_fingerprint",
            "stop_reason",
            "source",
            "actor_name",
            "created_at",
            "finished_at",
            "total",
            "pending",
            "done",
            "refused",
            "events",
        ]
        read_only_fields = fields

    def get_stop_reason(self, bulk: BulkRun) -> str:
        """Return why it stopped."""
        return explain_stop(bulk)

    def get_total(self, bulk: BulkRun) -> int:
        """Return the number of all jobs, from "progress" in the context, as all four numbers."""
        return self._get_progress().total

    def get_pending(self, bulk: BulkRun) -> int:
        """Return the number of jobs to come."""
        return self._get_progress().pending

    def get_done(self, bulk: BulkRun) -> int:
        """Return the number of jobs that were changed."""
        return self._get_progress().done

    def get_refused(self, bulk: BulkRun) -> int:
        """Return the number of jobs that were left alone."""
        return self._get_progress().refused

    def _get_progress(self) -> BulkProgress:
        progress: BulkProgress = self.context["progress"]
        return progress


@component
class BulkResultSerializer(serializers.ModelSerializer[BulkItem]):
    """What came of the verb for one entry."""

    job = serializers.IntegerField(
        source="job_id", read_only=True, allow_null=True, help_text="The job's id; null if the entry has no job."
    )
    key = serializers.CharField(read_only=True, help_text='The name of an entry that is not a job; else "".')
    state = serializers.CharField(read_only=True, help_text="One of: PENDING, DONE, REFUSED.")
    message = serializers.CharField(source="refusal", read_only=True, help_text="Why it was left alone.")

    class Meta:
        model = BulkItem
        fields: ClassVar[list[str]] = ["job", "key", "state", "message"]
        read_only_fields = fields


@component
class BulkPageSerializer(BulkRunSerializer):
    """A bulk run with one page of results."""

    next = serializers.URLField(read_only=True, allow_null=True, help_text="The address of the page of later jobs.")
    previous = serializers.URLField(read_only=True, allow_null=True, help_text="The address of the page before.")
    results = BulkResultSerializer(many=True, read_only=True)

    class Meta(BulkRunSerializer.Meta):
        fields: ClassVar[list[str]] = [*BulkRunSerializer.Meta.fields, "next", "previous", "results"]
        read_only_fields = fields
