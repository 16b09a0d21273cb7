"""The demo's URLs: its start page, the admin, and the REST API where a project would put it."""

from django.contrib import admin
from django.urls import include, path
from django_dramatiq.models import Task

from django_wfe.demo.start_page import StartPage

# Nothing fills this list of messages: the middleware that would is off, because it slows every message down.
admin.site.unregister(Task)

urlpatterns = [
    path("", StartPage.as_view(), name="demo"),
    path("admin/", admin.site.urls),
    path("wfe/", include("django_wfe.urls", namespace="django_wfe")),
]
