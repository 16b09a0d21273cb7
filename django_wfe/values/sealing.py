"""Secrets at rest: encrypted where they stand in the JSON that is stored, so that all beside them stays readable.

A sealed value is an object with the one name ``MARK``, and a Fernet token of its JSON. Nobody can type one: input that
brings the name along is refused.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings

from django_wfe.conf import settings
from django_wfe.definition.secret_places import MASK, SecretPlaces
from django_wfe.exceptions import CodeNotLoaded, UnreadableSecret
from django_wfe.values.sentences import gettext as _

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

MARK = "$wfe:sealed"
SEALED_TEXT = rf'\{{"{re.escape(MARK)}": ?"[^"]*"\}}'
"""A sealed value as PostgreSQL and this package write it, for regular expressions. In a text quotes are escaped."""

Change = Callable[[str], Any]


def seal(value: Any) -> dict[str, str]:
    """Return a JSON value as a sealed one, encrypted with the first key.

    Raises:
        CodeNotLoaded: the package cryptography is not installed.
    """
    return {MARK: _load_cipher().encrypt(json.dumps(value, ensure_ascii=False).encode()).decode()}


def seal_places(data: Any, places: SecretPlaces) -> Any:
    """Return JSON data with each secret in it sealed. What is sealed already stays as it is.

    Raises:
        CodeNotLoaded: as of ``seal``.
    """
    return places.change(data, lambda secret: secret if _read_token(secret) is not None else seal(secret))


def unseal(data: Any) -> Any:
    """Return JSON data with all that is sealed in it as it was given.

    Raises:
        UnreadableSecret: no key decrypts it.
        CodeNotLoaded: as of ``seal``.
    """
    return _change_sealed(data, _open)


def unseal_readable(data: Any) -> Any:
    """Return JSON data as ``unseal`` does, with None in the place of what cannot be decrypted here."""
    return _change_sealed(data, _open_or_none)


def cover_sealed(data: Any) -> Any:
    """Return stored JSON data as it is shown: with a mask in the place of each sealed value. Needs no key."""
    return _change_sealed(data, lambda token: MASK)


def cover_sealed_text(text: str) -> str:
    """Return a JSON text that PostgreSQL has written likewise. Of megabytes, no Python objects are made."""
    return re.sub(SEALED_TEXT, f'"{MASK}"', text)


def reseal(data: Any) -> Any:
    """Return JSON data with all that is sealed in it encrypted with the first key; what is so already stays.

    Raises:
        UnreadableSecret, CodeNotLoaded: as of ``unseal``.
    """
    return _change_sealed(data, _renew)


def holds_sealed(text: str) -> bool:
    """Return whether a JSON text may hold a sealed value. Called for every input that is read: it only seeks a name."""
    return MARK in text


def holds_mark(data: Any) -> bool:
    """Return whether a name in JSON data is that of a sealed value."""
    if isinstance(data, dict):
        return MARK in data or any(holds_mark(part) for part in data.values())
    return isinstance(data, list) and any(holds_mark(part) for part in data)


def _change_sealed(data: Any, change: Change) -> Any:
    token = _read_token(data)
    if token is not None:
        return change(token)
    if isinstance(data, dict):
        return {key: _change_sealed(part, change) for key, part in data.items()}
    return [_change_sealed(part, change) for part in data] if isinstance(data, list) else data


def _read_token(data: Any) -> str | None:
    token = data.get(MARK) if isinstance(data, dict) and len(data) == 1 else None
    return token if isinstance(token, str) else None


def _open(token: str) -> Any:
    cipher = _load_cipher()
    from cryptography.fernet import InvalidToken

    try:
        return json.loads(cipher.decrypt(token.encode()))
    except InvalidToken:
        raise UnreadableSecret(
            _(
                "No key decrypts a secret in it: add the key that it was encrypted with to "
                "WFE_SECRET_KEYS or SECRET_KEY_FALLBACKS, or enter the secret again."
            )
        ) from None


def _open_or_none(token: str) -> Any:
    try:
        return _open(token)
    except (UnreadableSecret, CodeNotLoaded):
        return None


def _renew(token: str) -> dict[str, str]:
    _load_cipher()
    from cryptography.fernet import Fernet, InvalidToken

    try:
        Fernet(_list_keys()[0]).decrypt(token.encode())
    except InvalidToken:
        return seal(_open(token))
    return {MARK: token}


def _load_cipher() -> MultiFernet:
    try:
        return _build_cipher(_list_keys())
    except ImportError:
        raise CodeNotLoaded(
            _(
                "Secrets are kept encrypted, and the package cryptography is not installed. "
                'Install it: pip install "django-wfe[secrets]".'
            )
        ) from None


@lru_cache(maxsize=4)
def _build_cipher(keys: tuple[bytes, ...]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


def _list_keys() -> tuple[bytes, ...]:
    """List the keys of ``WFE_SECRET_KEYS``, and after them those made of Django's own secret keys."""
    derived = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    return (*(key.encode() for key in settings.secret_keys), *(_derive(key) for key in derived))


@lru_cache(maxsize=16)
def _derive(secret: str | bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    material = secret.encode() if isinstance(secret, str) else secret
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"django_wfe.secrets").derive(material)
    return base64.urlsafe_b64encode(key)
