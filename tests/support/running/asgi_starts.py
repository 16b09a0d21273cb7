"""An ASGI application of a project with async views: one starts a Job, one tells the threads of its process."""

import threading

import django
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, JsonResponse
from django.urls import path

django.setup(set_prefix=False)

from django_wfe import astart  # noqa: E402  (there are no models before)
from tests.workflows import Linear  # noqa: E402


async def start(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"job": await astart(Linear, key=request.GET["key"])})


async def list_threads(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"threads": sorted(thread.name for thread in threading.enumerate())})


urlpatterns = [path("start", start), path("threads", list_threads)]

application = ASGIHandler()
