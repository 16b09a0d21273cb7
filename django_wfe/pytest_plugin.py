"""Fixtures for pytest, there wherever django-wfe is installed. They do nothing until a test asks for one.

pytest loads this module before Django is set up, so everything of Django is imported in the fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django_wfe.testing import RecordingDispatcher


@pytest.fixture
def wfe(db: None) -> Any:
    """The module ``django_wfe.testing``: ``wfe.run_to_end(...)``, ``wfe.provide(...)`` and the others.

    For ``wfe.assert_survives_crashes(...)`` the test needs ``@pytest.mark.django_db(transaction=True)``.
    """
    _require_app()
    import django_wfe.testing

    return django_wfe.testing


@pytest.fixture
def wfe_dispatcher(db: None) -> Iterator[RecordingDispatcher]:
    """A ``RecordingDispatcher`` that takes the broker's place while the test runs."""
    _require_app()
    from django_wfe.testing import RecordingDispatcher

    with RecordingDispatcher() as dispatcher:
        yield dispatcher


def _require_app() -> None:
    from django.apps import apps

    if not apps.is_installed("django_wfe"):
        pytest.fail('This fixture needs "django_wfe" in INSTALLED_APPS.', pytrace=False)
