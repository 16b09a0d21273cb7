"""The admin site of this project."""

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig


class Office(AdminSite):
    site_header = "The office"


class OfficeConfig(AdminConfig):
    default_site = "tests.projects.own_ways.site.Office"
