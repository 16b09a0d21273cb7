"""What the kinds of nodes are called in sentences."""

from __future__ import annotations

from django.utils.translation import gettext as _

from django_wfe.definition.kinds import DECISION_KIND, get_kind


def describe_kind(code: str) -> str:
    """Return what a node of this kind is, such as "a decision", in the reader's language; "" for a plain step."""
    return _("a decision") if code == DECISION_KIND.code else str(get_kind(code).words)
