"""The shapes of what comes out: workflows, steps, jobs, questions, problems.

Some fields have the name of an attribute that every field has (label, source, errors). The serializers' metaclass takes
declared fields out of the class, so that they do not meet; the type checker cannot know.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import ISO_8601, serializers

from django_wfe.api.frame.storage import Storage
from django_wfe.api.shapes.schema import component
from django_wfe.models import Job, Step, Workflow


@component
class NodeSerializer(serializers.Serializer[Any]):
    """One Step or Decision of a graph."""

    path = serializers.CharField(help_text="The dotted path of its class.")
    name = serializers.CharField()
    kind = serializers.CharField(help_text="One of: start, step, decision.")
    label = serializers.CharField(help_text="Its name for people.")  # type: ignore[assignment]
    description = serializers.CharField()
    input_schema = serializers.JSONField(
        allow_null=True, help_text="The JSON Schema of the input that it asks for; null where it asks for none."
    )


@component
class EdgeSerializer(serializers.Serializer[Any]):
    """The way from one node to another."""

    source = serializers.CharField(help_text="The path of the node that it leaves.")  # type: ignore[assignment]
    target = serializers.CharField(help_text="The path of the node that it leads to.")
    index = serializers.IntegerField(help_text="What the source's transition() returns to take it, from 0.")
    label = serializers.CharField()  # type: ignore[assignment]


@component
class GraphSerializer(serializers.Serializer[Any]):
    """A workflow's nodes and edges, the start first."""

    nodes = NodeSerializer(many=True)
    edges = EdgeSerializer(many=True)


@component
class WorkflowSerializer(serializers.ModelSerializer[Workflow]):
    """A workflow, with the graph of its current definition."""

    graph = GraphSerializer(
        source="current_definition.graph",
        allow_null=True,
        default=None,
        read_only=True,
        help_text="null while no declaration of it could be taken over.",
    )

    input_schema = serializers.JSONField(
        source="current_definition.graph.input_schema",
        allow_null=True,
        default=None,
        read_only=True,
        help_text="The JSON Schema of what its jobs start with; null where they start without data.",
    )

    class Meta:
        model = Workflow
        fields: ClassVar[list[str]] = ["id", "name", "path", "description", "input_schema", "graph"]
        read_only_fields = fields


@component
class WorkflowStateSerializer(serializers.ModelSerializer[Workflow]):
    """Whether a workflow is held."""

    paused_at = serializers.DateTimeField(read_only=True, allow_null=True, format=ISO_8601)

    class Meta:
        model = Workflow
        fields: ClassVar[list[str]] = ["id", "name", "path", "paused", "paused_at", "paused_by", "pause_reason"]
        read_only_fields = fields


@component
class StepSerializer(serializers.ModelSerializer[Step]):
    """A Step or Decision."""

    input_schema = serializers.JSONField(
        read_only=True, allow_null=True, help_text="The JSON Schema of the input that it asks for; null for none."
    )
    kind = serializers.CharField(read_only=True, help_text="step or decision.")

    class Meta:
        model = Step
        fields: ClassVar[list[str]] = ["id", "name", "path", "kind", "description", "input_schema"]
        read_only_fields = fields


@component
class JobStateSerializer(serializers.ModelSerializer[Job]):
    """Where a job stands, without any of its data."""

    workflow = serializers.IntegerField(source="workflow_id", read_only=True, help_text="The workflow's id.")
    state = serializers.CharField(read_only=True, help_text="One of the states of JobState, such as FINISHED.")
    current_step = serializers.CharField(read_only=True, help_text="The dotted path of the node that it is at.")
    current_step_number = serializers.IntegerField(read_only=True, help_text="0 at the start.")
    created_at = serializers.DateTimeField(read_only=True, format=ISO_8601)
    started_at = serializers.DateTimeField(read_only=True, allow_null=True, format=ISO_8601)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True, format=ISO_8601)

    class Meta:
        model = Job
        fields: ClassVar[list[str]] = [
            "id",
            "uuid",
            "workflow",
            "key",
            "state",
            "current_step",
            "current_step_number",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields


@component
class SubjectSerializer(serializers.Serializer[Any]):
    """The row of the project that a job is about."""

    model = serializers.CharField(help_text="Its model in lower case, such as shop.order.")
    key = serializers.CharField(help_text="Its primary key.")


@component
class JobSerializer(JobStateSerializer):
    """A job, with what has run."""

    error = serializers.SerializerMethodField(
        help_text='Why it failed, or what holds it; "" for nothing, null without the permission view_job_data.'
    )
    storage = serializers.SerializerMethodField(
        help_text="What has run, in order; null without the permission view_job_data."
    )

    attributes = serializers.DictField(
        child=serializers.CharField(), read_only=True, help_text="What it is found by, as texts by name."
    )
    subject = SubjectSerializer(
        allow_null=True, read_only=True, help_text="The row of the project that it is about; null for none."
    )

    class Meta(JobStateSerializer.Meta):
        fields: ClassVar[list[str]] = [*JobStateSerializer.Meta.fields, "attributes", "subject", "error", "storage"]
        read_only_fields = fields

    def get_error(self, job: Job) -> str | None:
        """Return the error's text, which may quote the job's data."""
        return job.error if job.pk in self.context["storages"] else None

    def get_storage(self, job: Job) -> Storage | None:
        """Return what ``load_visible_storages`` loaded for the whole page, under "storages" in the context."""
        storages: dict[int, Storage] = self.context["storages"]
        return storages.get(job.pk)


@component
class JobPageSerializer(serializers.Serializer[Any]):
    """One page of jobs, newest first."""

    next = serializers.URLField(allow_null=True, help_text="The address of the page of older jobs.")
    previous = serializers.URLField(allow_null=True, help_text="The address of the page of newer jobs.")
    results = JobSerializer(many=True)


@component
class QuestionSerializer(serializers.Serializer[Any]):
    """What a waiting job asks for."""

    step_run = serializers.IntegerField(help_text="The id of the step run that waits.")
    step = serializers.CharField(help_text="The dotted path of the node that asks.")
    label = serializers.CharField(help_text="The node's name for people.")  # type: ignore[assignment]
    description = serializers.CharField()
    input_schema = serializers.JSONField(help_text="The JSON Schema of the input.")
    problem = serializers.CharField(
        help_text='Why this server could not take the input now, such as code that it cannot import; "" where it can.'
    )


@component
class ProblemSerializer(serializers.Serializer[Any]):
    """Why a call did nothing."""

    detail = serializers.CharField()


@component
class WrongStateSerializer(ProblemSerializer):
    """Why a call did nothing, and the state that was in the way."""

    state = serializers.CharField(
        required=False, help_text="The state that it is in, such as FINISHED; detail names it as people read it."
    )


@component
class OtherInputSerializer(ProblemSerializer):
    """Why a start with a known key did nothing, and what the first one was given otherwise."""

    fields = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="The names of the fields of input that differ; never their values."
    )


@component
class FieldProblemsSerializer(ProblemSerializer):
    """Why a call did nothing, by the field at fault."""

    errors = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)  # type: ignore[assignment]
