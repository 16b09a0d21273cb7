"""``manage.py wfe_rotate_secrets``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.engine.lifecycle import Rotation, rotate_secrets
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.management.base import EngineCommand


class Command(EngineCommand):
    """Encrypts the stored secrets with the first key, and those that are not encrypted yet."""

    help = (
        "Encrypts all secrets in stored inputs with the first key of WFE_SECRET_KEYS, or with SECRET_KEY. "
        "It can be stopped and called again at any time. Exit code 1: no key decrypts some of them."
    )

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        def tell(rotation: Rotation) -> None:
            if verbosity > 1:
                self.stdout.write(_("%(changed)s encrypted so far.") % {"changed": rotation.changed})

        try:
            rotation = rotate_secrets(tell=tell)
        except CodeNotLoaded as error:
            raise CommandError(str(error), returncode=1) from error
        values = {"found": rotation.found, "changed": rotation.changed, "unreadable": rotation.unreadable}
        found = ngettext("%(found)s row holds secrets", "%(found)s rows hold secrets", rotation.found) % values
        self.stdout.write(_("%(found)s; %(changed)s encrypted with the first key now.") % {**values, "found": found})
        if rotation.unreadable:
            message = ngettext(
                "No key decrypts the secrets of %(unreadable)s row. Add the key that they were encrypted with to "
                "WFE_SECRET_KEYS or SECRET_KEY_FALLBACKS.",
                "No key decrypts the secrets of %(unreadable)s rows. Add the key that they were encrypted with to "
                "WFE_SECRET_KEYS or SECRET_KEY_FALLBACKS.",
                rotation.unreadable,
            )
            raise CommandError(message % values, returncode=1)
