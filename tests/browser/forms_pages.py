"""Pages with one input form, under the strict content security policy that every page must live with."""

import datetime
import json
from decimal import Decimal
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from pydantic import BaseModel, Field, HttpUrl

from django_wfe.forms import build_input_form

PAGE = """{% load static %}<!doctype html><html lang="en"><head><title>Form</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{% static 'admin/css/base.css' %}">
<link rel="stylesheet" href="{% static 'admin/css/responsive.css' %}">{{ form.media }}</head>
<body><main id="content" class="colM">
<form method="post" enctype="multipart/form-data"{% if quiet %} novalidate{% endif %}>
{% csrf_token %}{{ form }}<input type="submit" name="_save" value="Save">
<input type="submit" name="_draft" value="Save draft" formnovalidate></form></main></body></html>"""


class Address(BaseModel):
    street: str = Field(min_length=3)


class Tax(BaseModel):
    rate: int


class Line(BaseModel):
    article: str
    price: Decimal = Decimal("1.50")
    taxes: list[Tax] = []


class Order(BaseModel):
    title: str
    ship_to: Address | None = None
    lines: list[Line] = Field(min_length=1, max_length=3)
    tags: list[Annotated[str, Field(max_length=10)]] = []


class Visit(BaseModel):
    due: datetime.date | None = None
    at: datetime.datetime | None = None
    start: datetime.time | None = None
    qty: int | None = None
    copies: int = 3
    amount: Decimal | None = None
    note: str = Field("", max_length=5)
    contact: HttpUrl | None = None
    table: dict[str, int] = {}
    days: list[datetime.date] = []


def show_order(request: HttpRequest) -> HttpResponse:
    return show_form(request, Order, quiet=False)


def show_visit(request: HttpRequest) -> HttpResponse:
    """A form with `novalidate`, as those of the admin are."""
    return show_form(request, Visit, quiet=True)


def show_form(request: HttpRequest, schema: type[BaseModel], *, quiet: bool) -> HttpResponse:
    form = build_input_form(schema)(request.POST or None, request.FILES or None, prefix="input")
    if form.is_bound and "_draft" in request.POST:
        return HttpResponse(json.dumps(form.read_draft()), content_type="text/plain")
    if form.is_bound and not form.apply_structure_change() and form.is_valid():
        return HttpResponse(json.dumps(form.external_data), content_type="text/plain")
    context = {"form": form, "quiet": quiet}
    response = HttpResponse(engines["django"].from_string(PAGE).render(context, request))
    response["Content-Security-Policy"] = "default-src 'self'"
    return response


def answer_favicon(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


urlpatterns = [path("", show_order), path("visit/", show_visit), path("favicon.ico", answer_favicon)]
