"""The URLs of the test project: the admin and the REST API, as the README tells a project to wire them."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls)]

if find_spec("django_wfe.urls") is not None:
    urlpatterns.append(path("wfe/", include("django_wfe.urls", namespace="django_wfe")))
