"""``manage.py wfe_doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.engine.queries.situation import explain_job
from django_wfe.management.base import EngineCommand
from django_wfe.management.health import examine
from django_wfe.models import Job
from django_wfe.values.visible_text import escape_unseen_in_json, show_in_terminal

WRONG = frozenset(
    {
        "code_lacking",
        "failed",
        "input_gone",
        "lost_too_often",
        "message_overdue",
        "no_worker",
        "node_gone",
        "preparing",
        "worker_gone",
        "worker_silent",
    }
)
"""The causes for a job's standing still that somebody has to see to."""


class Command(EngineCommand):
    """Looks at everything that jobs need, or says why one job is where it is."""

    help = "Says what is wrong with the engine and what to do, or why a job is where it is. Exit code 1: something is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", nargs="?", type=int, metavar="JOB_ID", help=_("Say why this job is where it is."))
        parser.add_argument("--json", action="store_true", dest="as_json", help=_("Print JSON."))

    def handle(self, *args: Any, job: int | None, as_json: bool, **options: Any) -> None:
        if job is None:
            self._examine(as_json=as_json)
        else:
            self._explain(job, as_json=as_json)

    def _examine(self, *, as_json: bool) -> None:
        findings = []
        for finding in examine():
            findings.append(finding)
            if as_json:
                continue
            style = self.style.SUCCESS if finding.ok else self.style.ERROR
            verdict = _("ok") if finding.ok else _("WRONG")
            self.stdout.write(f"{style(verdict.ljust(8))}{show_in_terminal(f'{finding.name}: {finding.text}')}")
            if not finding.ok and finding.cure:
                self.stdout.write(f"        {show_in_terminal(finding.cure)}")
        if as_json:
            self._write_json([asdict(finding) for finding in findings])
        wrong = sum(1 for finding in findings if not finding.ok)
        if wrong:
            message = ngettext("%(number)d thing is wrong.", "%(number)d things are wrong.", wrong)
            raise CommandError(message % {"number": wrong}, returncode=1)

    def _explain(self, job_id: int, *, as_json: bool) -> None:
        job = Job.objects.select_related("workflow").filter(pk=job_id).first() if 0 < job_id < 2**63 else None
        if job is None:
            raise CommandError(_("There is no job %(id)s.") % {"id": job_id}, returncode=1)
        explanation = explain_job(job)
        if as_json:
            data = {"job": job.pk, "state": job.state, **asdict(explanation)}
            self._write_json(data)
        else:
            self.stdout.write(show_in_terminal(f"{job} {job.state}: {explanation.sentence}"))
            if explanation.way_out:
                self.stdout.write(show_in_terminal(_("Way out: %(way_out)s") % {"way_out": explanation.way_out}))
        if explanation.code in WRONG:
            raise CommandError(_("Job %(id)s is stuck.") % {"id": job.pk}, returncode=1)

    def _write_json(self, value: Any) -> None:
        self.stdout.write(escape_unseen_in_json(json.dumps(value, ensure_ascii=False, indent=2)))
