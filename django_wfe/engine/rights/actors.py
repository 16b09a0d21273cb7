"""How a person is kept beside what they did: by their key, and by a name that stays when the user is deleted."""

from __future__ import annotations

from typing import Any

from django.db import connections

from django_wfe.conf import DATABASE


def name_actor(actor: Any) -> str:
    """Return the name of an actor, never "" for a user: where the user's own text is blank, its key; "" for None."""
    if actor is None:
        return ""
    return str(actor)[:255].strip() or f"#{actor.pk}"


def key_actor(actor: Any) -> Any:
    """Return the key of an actor as the driver takes it, whatever type the user model gives it; None for None."""
    key = None if actor is None else actor.pk
    if key is None or type(key) is int:
        return key
    return actor._meta.pk.get_db_prep_save(key, connections[DATABASE])
