"""The tables. ``django_wfe.engine`` is the only one that writes jobs and step runs."""

from django_wfe.models.attributes import JobAttribute, Subject
from django_wfe.models.bulk import BulkEvent, BulkItem, BulkRun
from django_wfe.models.events import JobEvent, JobLog, WorkflowEvent
from django_wfe.models.exports import Export
from django_wfe.models.inbox import Assignment
from django_wfe.models.jobs import Job, StepRun
from django_wfe.models.large_values import LargeValue, LargeValueUse
from django_wfe.models.modules import DefinitionModule
from django_wfe.models.statistics import Statistic, StatisticBucket, StatisticCursor
from django_wfe.models.workers import Lease, Worker
from django_wfe.models.workflows import Definition, Step, Workflow
from django_wfe.states import JobState, StepRunState

__all__ = [
    "Assignment",
    "BulkEvent",
    "BulkItem",
    "BulkRun",
    "Definition",
    "DefinitionModule",
    "Export",
    "Job",
    "JobAttribute",
    "JobEvent",
    "JobLog",
    "JobState",
    "LargeValue",
    "LargeValueUse",
    "Lease",
    "Statistic",
    "StatisticBucket",
    "StatisticCursor",
    "Step",
    "StepRun",
    "StepRunState",
    "Subject",
    "Worker",
    "Workflow",
    "WorkflowEvent",
]
