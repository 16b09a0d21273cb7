"""Where the project keeps its users: the engine's tables refer to them, so it must be in the engine's database."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.db import connections, router

from django_wfe.conf import DATABASE


def check_user_table() -> list[CheckMessage]:
    """Ask the project's routers where users are written, without connecting.

    Two aliases with one ``NAME`` count as one database: one of them may go through a pooler.
    """
    alias = router.db_for_write(get_user_model())
    if alias == DATABASE or connections[alias].settings_dict["NAME"] == connections[DATABASE].settings_dict["NAME"]:
        return []
    return [
        Error(
            f'WFE_DATABASE is "{DATABASE}", and users are written to DATABASES["{alias}"], another database. '
            "The tables of django-wfe refer to the user table.",
            hint=f'Write WFE_DATABASE = "{alias}", or let DATABASE_ROUTERS send {get_user_model()._meta.label} '
            f'to "{DATABASE}".',
            id="wfe.E020",
        )
    ]
