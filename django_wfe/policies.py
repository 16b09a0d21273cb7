"""What users see and do, Job by Job. ``WFE_POLICY`` names the class that decides; see docs/extending.md."""

from django_wfe.engine.access.policy import Policy

__all__ = ["Policy"]
