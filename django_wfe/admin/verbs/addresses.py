"""Parts of addresses that name a verb. Which verbs there are is asked with each address: projects register theirs."""

from __future__ import annotations

from django.urls import register_converter

from django_wfe.engine.lifecycle import VERBS, list_actions


class VerbConverter:
    """The name of a verb; other words belong to other addresses."""

    regex = "[a-z][a-z0-9_]*"

    def to_python(self, value: str) -> str:
        """Return the name.

        Raises:
            ValueError: no verb is called so; Django looks for another address then.
        """
        if value not in VERBS:
            raise ValueError(value)
        return value

    def to_url(self, value: str) -> str:
        """Return the name as it is."""
        return value


class ActionConverter(VerbConverter):
    """The name of a verb that the Job list offers for many Jobs."""

    def to_python(self, value: str) -> str:
        """Return the name, as of ``VerbConverter``."""
        if value not in list_actions():
            raise ValueError(value)
        return value


register_converter(VerbConverter, "wfe_verb")
register_converter(ActionConverter, "wfe_action")
