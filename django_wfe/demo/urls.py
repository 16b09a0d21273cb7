"""The demo's URLs: the admin, and the REST API where a project would put it."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django_dramatiq.models import Task

# Nothing fills this list of messages: the middleware that would is off, because it slows every message down.
admin.site.unregister(Task)

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("wfe/", include("django_wfe.urls", namespace="django_wfe")),
]
