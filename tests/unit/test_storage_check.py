"""What ``manage.py check`` says about the storage of large values."""

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage

from django_wfe.checks.storage import check_storage
from django_wfe.conf import settings as wfe_settings

FILES = "django.core.files.storage.FileSystemStorage"


class Bucket(Storage):
    """Has what backends of django-storages tell of themselves."""

    def __init__(self, **facts: Any) -> None:
        vars(self).update(facts)


class Unbuildable(Storage):
    def __init__(self) -> None:
        raise OSError("no credentials")


def check(settings: Any, backend: Any = FILES, **options: Any) -> list[CheckMessage]:
    name = backend if isinstance(backend, str) else f"{backend.__module__}.{backend.__qualname__}"
    settings.STORAGES = {**settings.STORAGES, "django_wfe": {"BACKEND": name, "OPTIONS": options}}
    return check_storage(None)


def test_a_folder_of_its_own_is_private_and_no_storage_needs_none(settings: Any, tmp_path: Path) -> None:
    assert check_storage(None) == []
    assert wfe_settings.storage == ""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    assert check(settings, location=str(tmp_path / "media-private")) == []
    assert wfe_settings.storage == "django_wfe"


@pytest.mark.parametrize("name", ["MEDIA_ROOT", "STATIC_ROOT"])
@pytest.mark.parametrize("below", ["", "wfe/large"])
def test_a_folder_that_the_web_server_serves_is_an_error(settings: Any, tmp_path: Path, name: str, below: str) -> None:
    setattr(settings, name, str(tmp_path))
    [message] = check(settings, location=str(tmp_path / below))
    assert message.id == "wfe.E011"
    assert f"is in {name}" in message.msg
    assert "no URL leads to" in str(message.hint)


def test_a_link_into_a_served_folder_is_seen_through(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    (tmp_path / "media").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "media")
    assert [message.id for message in check(settings, location=str(tmp_path / "link"))] == ["wfe.E011"]


@pytest.mark.parametrize("alias", ["default", "staticfiles"])
def test_the_storages_of_public_files_are_refused(settings: Any, alias: str) -> None:
    settings.WFE_STORAGE = alias
    [message] = check_storage(None)
    assert (message.id, alias in message.msg) == ("wfe.E011", True)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"default_acl": "public-read"}, "default_acl is 'public-read'"),
        ({"default_acl": "publicRead"}, "default_acl is 'publicRead'"),
        ({"querystring_auth": False}, "querystring_auth is False"),
        ({"default_acl": None, "querystring_auth": True}, ""),
        ({"default_acl": "private"}, ""),
        ({}, ""),
    ],
)
def test_a_bucket_that_the_public_may_read_is_an_error(settings: Any, facts: dict[str, Any], told: str) -> None:
    messages = check(settings, Bucket, **facts)
    assert [told in message.msg for message in messages] == ([True] if told else [])


def test_a_storage_that_cannot_be_built_and_one_in_memory_are_told(settings: Any) -> None:
    [message] = check(settings, Unbuildable)
    assert (message.id, "OSError: no credentials" in message.msg) == ("wfe.E012", True)
    [message] = check(settings, "django.core.files.storage.InMemoryStorage")
    assert message.id == "wfe.W014"


def test_an_alias_that_is_not_there_is_a_wrong_setting(settings: Any) -> None:
    settings.WFE_STORAGE = "elsewhere"
    with pytest.raises(ImproperlyConfigured, match=r"WFE_STORAGE = 'elsewhere': give one of the aliases in STORAGES"):
        _ = wfe_settings.storage
    assert check_storage(None) == [], "check_settings tells it"
