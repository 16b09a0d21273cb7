"""Verbs of a project's own: declare a class, register it in ``AppConfig.ready``, and it appears everywhere.

``Verb`` is for Jobs, ``BulkVerb`` for lists of what need not have a Job yet. See docs/extending.md.
"""

from django_wfe.engine.bulk.entries import Entry
from django_wfe.engine.operations.verbs.base import BulkVerb, Case, Finding, Verb, VerbStatus
from django_wfe.engine.operations.verbs.registry import find_verb, register, unregister
from django_wfe.engine.rules.verb_rules import Situation

__all__ = [
    "BulkVerb",
    "Case",
    "Entry",
    "Finding",
    "Situation",
    "Verb",
    "VerbStatus",
    "find_verb",
    "register",
    "unregister",
]
