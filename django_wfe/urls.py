"""The REST API's addresses, to include in a project's own.

::

    path("wfe/", include("django_wfe.urls", namespace="django_wfe"))
"""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

if find_spec("rest_framework") is None:
    raise ImproperlyConfigured(
        "django_wfe.urls serves the REST API, which needs djangorestframework, and that is not installed. "
        'Run "pip install djangorestframework" (or "django-wfe[rest]") and add "rest_framework" to INSTALLED_APPS, or '
        "take django_wfe.urls out of your URLs: the admin does not need it."
    )
if not apps.is_installed("rest_framework"):
    raise ImproperlyConfigured(
        "django_wfe.urls serves the REST API, which needs djangorestframework, and that is not in INSTALLED_APPS. "
        'Add "rest_framework" to INSTALLED_APPS, or take django_wfe.urls out of your URLs: the admin does not need it.'
    )

from django_wfe.api.urls import urlpatterns

__all__ = ["app_name", "urlpatterns"]

app_name = "django_wfe"
