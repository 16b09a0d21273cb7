"""What dead workers held is given back, and what a broker lost is sent again."""

from django_wfe.engine.recovery.sweeping import sweep

__all__ = ["sweep"]
