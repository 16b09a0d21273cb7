"""What surrounds the code of Jobs, such as a tenant. ``WFE_CONTEXT`` names the class; see docs/extending.md."""

from django_wfe.engine.isolation.job_context import JobContext

__all__ = ["JobContext"]
