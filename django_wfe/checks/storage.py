"""Whether the storage of large values keeps them from the public."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, InMemoryStorage, storages

from django_wfe.conf import settings

_PUBLIC_HINT = (
    "Results and inputs of jobs are only for those who may see the jobs. Give WFE_STORAGE a storage of its own that no "
    "URL leads to; see docs/operations.md."
)
_PUBLIC_ALIASES = ("default", "staticfiles")
_PUBLIC_ACCESS = ("public-read", "public-read-write", "publicread", "publicreadwrite", "authenticated-read")


def check_storage(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look at the storage that ``WFE_STORAGE`` names, if there is one, without asking it for anything."""
    try:
        alias = settings.storage
    except ImproperlyConfigured:
        return []  # check_settings has said it
    return list(_judge(alias)) if alias else []


def _judge(alias: str) -> Iterator[CheckMessage]:
    if alias in _PUBLIC_ALIASES:
        yield Error(
            f"WFE_STORAGE = {alias!r}: that storage is for files that the public may have.",
            hint=_PUBLIC_HINT,
            id="wfe.E011",
        )
        return
    try:
        storage: Any = storages[alias]
    except Exception as error:  # each backend has classes of its own
        yield Error(
            f"The storage {alias!r} cannot be built: {type(error).__name__}: {error}",
            hint="Correct it in STORAGES.",
            id="wfe.E012",
        )
        return
    reason = _find_publicity(storage)
    if reason:
        yield Error(f"The storage {alias!r} is not private: {reason}.", hint=_PUBLIC_HINT, id="wfe.E011")
    if isinstance(storage, InMemoryStorage):
        yield Warning(
            f"The storage {alias!r} is in the memory of each process: a worker reads nothing that another has written.",
            hint="Use it in tests alone.",
            id="wfe.W014",
        )


def _find_publicity(storage: Any) -> str:
    """Return how the public gets at its files, as far as its class and settings tell; "" if in no known way."""
    if isinstance(storage, FileSystemStorage):
        folder = os.path.realpath(storage.location)
        for name in ("MEDIA_ROOT", "STATIC_ROOT"):
            public = getattr(django_settings, name, None)
            if public and _is_within(folder, os.path.realpath(public)):
                return f"its folder, {folder}, is in {name}"
        return ""
    # As the backends of django-storages call it.
    for name in ("default_acl", "azure_access", "acl"):
        if str(getattr(storage, name, "") or "").lower() in _PUBLIC_ACCESS:
            return f"its {name} is {getattr(storage, name)!r}"
    if getattr(storage, "querystring_auth", None) is False:
        return "its querystring_auth is False, so that the URLs of its files need no signature"
    return ""


def _is_within(folder: str, public: str) -> bool:
    try:
        return os.path.commonpath([folder, public]) == public
    except ValueError:  # on another drive
        return False
