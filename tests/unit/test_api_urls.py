"""Including the REST API without djangorestframework."""

import importlib
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import modify_settings

pytestmark = pytest.mark.unit


@pytest.fixture
def unloaded_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets django_wfe.urls be imported anew, and puts the module back afterwards."""
    monkeypatch.delitem(sys.modules, "django_wfe.urls", raising=False)


@pytest.mark.usefixtures("unloaded_urls")
@modify_settings(INSTALLED_APPS={"remove": "rest_framework"})
def test_where_rest_framework_is_no_installed_app_the_include_says_what_to_add() -> None:
    with pytest.raises(ImproperlyConfigured, match=r'Add "rest_framework" to INSTALLED_APPS'):
        importlib.import_module("django_wfe.urls")


@pytest.mark.usefixtures("unloaded_urls")
def test_where_rest_framework_is_not_installed_the_include_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install djangorestframework"):
        importlib.import_module("django_wfe.urls")


def test_the_namespace_is_the_one_that_projects_include_it_under() -> None:
    urls = importlib.import_module("django_wfe.urls")
    assert urls.app_name == "django_wfe"
    assert "job_logs" in [pattern.name for pattern in urls.urlpatterns]
