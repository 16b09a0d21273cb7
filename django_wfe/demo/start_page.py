"""The demo's start page: who can sign in, and what there is to try."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.views.generic import TemplateView

from django_wfe.conf import settings
from django_wfe.models import Job, StepRun, StepRunState, Workflow


class StartPage(TemplateView):
    """Shows what to try. It names the process to kill, which is another one after each time."""

    template_name = "django_wfe/demo/start.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        running = StepRun.objects.filter(state=StepRunState.RUNNING, worker__isnull=False).select_related("worker")
        report = (
            Job.objects.filter(key="report-long", workflow__name="MonthlyReport").select_related("workflow").first()
        )
        run = (running.filter(job=report) if report is not None else running).only("worker__pid").first()
        return super().get_context_data(
            **kwargs,
            report=report,
            delivery=Workflow.objects.filter(name="FlakyDelivery").values_list("pk", flat=True).first(),
            report_address=reverse("admin:django_wfe_job_change", args=[report.pk]) if report is not None else "",
            pid=run.worker.pid if run is not None and run.worker is not None else None,
            worker_timeout=f"{settings.worker_timeout:g}",
            max_lost_runs=settings.max_lost_runs,
            base=self.request.build_absolute_uri("/").rstrip("/"),
        )
