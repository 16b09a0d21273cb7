"""What an explanation is, and that of a Job of django-wfe 1.x, which is kept as history."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from django_wfe.engine.rules.node_names import name_node_by_id
from django_wfe.models import Job, JobEvent, JobState


@dataclass(frozen=True, slots=True)
class Explanation:
    """``sentence`` names the cause; ``way_out`` what can be done, or "" if nothing need be.

    ``code`` stays the same for a cause in every language and version, such as "no_worker" or "retry_due".
    """

    sentence: str
    way_out: str
    code: str


def explain_adopted_job(job: Job) -> Explanation:
    """Describe what became of a Job under django-wfe 1.x, and where its log is. One query."""
    event = job.events.filter(kind=JobEvent.Kind.ADOPTED).order_by("id").first()
    data = event.data if event is not None and isinstance(event.data, dict) else {}
    was, logfile = str(data.get("was", "")), str(data.get("logfile", ""))
    values = {"step": name_node_by_id(job.definition_id, job.current_step)}
    way_out = ""
    if was == JobState.FINISHED:
        sentence = _("It ran to its end under django-wfe 1.x, and is kept as history.")
    else:
        if was == JobState.FAILED:
            sentence = _("It failed at “%(step)s” under django-wfe 1.x. It is kept as history and cannot go on.")
        elif was == JobState.INPUT_REQUIRED:
            sentence = _(
                "It waited for input at “%(step)s” under django-wfe 1.x. It is kept as history and cannot go on."
            )
        else:
            sentence = _("It was at “%(step)s” under django-wfe 1.x. It is kept as history and cannot go on.")
        sentence %= values
        way_out = _("Start the workflow again for the remaining work.")
    if logfile:
        sentence += " " + _("Its log is the file %(logfile)s.") % {"logfile": logfile}
    return Explanation(sentence, way_out, "adopted")
