"""How a person is kept beside what they did: by their key, and by a name that stays when the user is deleted."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.db import connections

from django_wfe.conf import DATABASE


def name_actor(actor: Any) -> str:
    """Return the name of an actor, never "" for a user: where the user's own text is blank, its key; "" for None."""
    if actor is None:
        return ""
    return str(actor)[:255].strip() or f"#{actor.pk}"


def renew_actor(actor: Any) -> Any:
    """Return a user as the database has it now, with no right remembered: for whoever does many things for one user.

    Returns:
        The user as it was, and not active, where it was deleted; None for None.
    """
    if actor is None or actor.pk is None:
        return actor
    found = actor._meta.model._base_manager.using(DATABASE).filter(pk=actor.pk).first()
    if found is None:
        found = copy(actor)
        found.is_active = False
    return found


def key_actor(actor: Any) -> Any:
    """Return the key of an actor as the driver takes it, whatever type the user model gives it; None for None."""
    key = None if actor is None else actor.pk
    if key is None or type(key) is int:
        return key
    return actor._meta.pk.get_db_prep_save(key, connections[DATABASE])
