"""The URLs of an ordinary project: the admin, and the REST API where it is installed."""

from django.apps import apps
from django.urls import include, path

urlpatterns = []
if apps.is_installed("django.contrib.admin"):
    from django.contrib import admin

    urlpatterns.append(path("admin/", admin.site.urls))
if apps.is_installed("rest_framework"):
    urlpatterns.append(path("wfe/", include("django_wfe.urls", namespace="django_wfe")))
