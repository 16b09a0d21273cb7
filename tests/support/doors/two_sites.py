"""The URLs of a project with a second admin site, and without the REST API."""

from django.contrib import admin
from django.urls import path

from django_wfe.admin import register_console

operations = admin.AdminSite(name="operations")
register_console(operations)

urlpatterns = [path("admin/", admin.site.urls), path("operations/", operations.urls)]
