"""How a Job's key is found by a part of it: by its beginning, in any case, and by the numbers in it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import BooleanField, Func, Q, TextField, Value
from django.db.models.functions import Upper


class KeyNumbers(Func):
    """The numbers in a key as an array of texts: of "order-4711/2", "4711" and "2"."""

    template = "string_to_array(regexp_replace(%(expressions)s, '[^0-9]+', ' ', 'g'), ' ')"
    output_field = TextField()


class HoldsNumbers(Func):
    """Whether a key holds all of these numbers, each whole: asked of the index ``wfe_job_key_numbers``."""

    template = "(%(expressions)s::text[])"
    arg_joiner = " @> "
    output_field = BooleanField()

    def __init__(self, numbers: list[str]) -> None:
        super().__init__(KeyNumbers("key"), Value(numbers, output_field=_Texts()))


class _Texts(TextField):  # type: ignore[type-arg]
    """A list of texts as a parameter: Django's own ArrayField wants an app to be installed."""

    def get_prep_value(self, value: Any) -> Any:
        return value


class BeginningIndex(models.Index):
    """An index of texts by their beginning, whatever the collation of the database. (``OpClass`` wants an app.)"""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **options: Any) -> Any:
        """Return the statement that makes it."""
        statement: Any = super().create_sql(model, schema_editor, using=using, **options)
        statement.parts["columns"] = f"{statement.parts['columns']} text_pattern_ops"
        return statement


class InvertedIndex(models.Index):
    """An index of what is in an array."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **options: Any) -> Any:
        """Return the statement that makes it."""
        return super().create_sql(model, schema_editor, using=" USING gin", **options)


HAS_KEY = Q(key__isnull=False)

# Of Jobs with a key alone: a start without one pays for none of them.
KEY_INDEXES: list[models.Index] = [
    BeginningIndex(Upper("key"), name="wfe_job_key_begins", condition=HAS_KEY),
    InvertedIndex(KeyNumbers("key"), name="wfe_job_key_numbers", condition=HAS_KEY),
]
