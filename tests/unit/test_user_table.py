"""The engine's database has to be the one that holds the users."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_wfe.checks import user_table
from django_wfe.checks.project_checks import check_settings
from django_wfe.conf import Settings

pytestmark = pytest.mark.unit


class OfficeRouter:
    """People are written to the office."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "office"


@pytest.fixture
def office(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The description of a second database, which a router sends people to."""
    described = {**connections["default"].settings_dict, "NAME": "elsewhere"}
    monkeypatch.setitem(connections.settings, "office", described)
    settings.DATABASE_ROUTERS = [OfficeRouter()]
    yield described
    with suppress(AttributeError):
        del connections["office"]


def test_users_in_another_database_are_an_error_that_names_the_way_out(office: dict[str, Any]) -> None:
    (found,) = user_table.check_user_table()
    assert found.id == "wfe.E020"
    assert found.msg.startswith('WFE_DATABASE is "default", and users are written to DATABASES["office"]')
    assert found.hint.startswith('Write WFE_DATABASE = "office", or let DATABASE_ROUTERS send auth.User to "default"')


def test_an_alias_of_the_same_database_is_no_other_database(office: dict[str, Any]) -> None:
    office |= {"NAME": connections["default"].settings_dict["NAME"], "PORT": "6432"}
    assert user_table.check_user_table() == []


def test_the_engine_beside_the_users_is_as_it_should_be(
    office: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_table, "DATABASE", "office")
    assert user_table.check_user_table() == []


@pytest.mark.parametrize("wrong", ["nowhere", "", None, 7])
def test_an_alias_that_there_is_not_is_told_with_those_there_are(wrong: Any, settings: Any) -> None:
    settings.WFE_DATABASE = wrong
    with pytest.raises(ImproperlyConfigured, match="give one of the aliases in DATABASES: 'default'"):
        _ = Settings().database
    (found,) = check_settings(None)
    assert found.id == "wfe.E007"
    assert repr(wrong) in found.msg
