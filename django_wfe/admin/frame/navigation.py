"""The console's own navigation: above each of its pages, and in the admin's index and sidebar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_wfe.admin.elements.counts import write_count
from django_wfe.engine.access import PROVIDE_INPUT, has_permission
from django_wfe.engine.queries.attention import count_incidents, count_open_questions

APP = "django_wfe"


@dataclass(frozen=True, slots=True)
class Place:
    """A page that people come to by the navigation.

    Attributes:
        name: what it is called in the code.
        address: the name of its URL.
        begins: how the names of the URLs begin that are reached from it, beside its own.
        model: the model whose list it is, if it is one.
    """

    name: str
    title: Promise | str
    address: str
    permissions: tuple[str, ...]
    begins: tuple[str, ...] = ()
    model: str = ""

    def holds(self, url_name: str) -> bool:
        """Return whether a page is this one, or one that is reached from it."""
        return url_name == self.address or url_name.startswith(self.begins)


PLACES = (
    Place("home", gettext_lazy("Home"), "django_wfe_console", ("django_wfe.view_job",)),
    Place(
        "inbox",
        gettext_lazy("Inbox"),
        "django_wfe_inbox",
        ("django_wfe.view_job", PROVIDE_INPUT),
        ("django_wfe_inbox", "django_wfe_job_input"),
    ),
    Place(
        "incidents",
        gettext_lazy("Incidents"),
        "django_wfe_incidents",
        ("django_wfe.view_job",),
        ("django_wfe_incident",),
    ),
    Place(
        "jobs",
        gettext_lazy("Jobs"),
        "django_wfe_job_changelist",
        ("django_wfe.view_job",),
        ("django_wfe_job_",),
        model="Job",
    ),
    Place(
        "workflows",
        gettext_lazy("Workflows"),
        "django_wfe_workflow_changelist",
        ("django_wfe.view_workflow",),
        ("django_wfe_workflow_",),
        model="Workflow",
    ),
    Place(
        "statistics",
        gettext_lazy("Statistics"),
        "django_wfe_statistics",
        ("django_wfe.view_job",),
        ("django_wfe_statistics",),
    ),
)
"""In the order of the navigation. A page belongs to the first of them that holds it."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the navigation; ``count`` is "" where nothing needs anybody, ``counted`` says what it counts."""

    title: str
    url: str
    is_current: bool
    count: str = ""
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Navigation:
    """The links, those to the lists that are needed less often, and the address of the search for jobs, or ""."""

    links: list[Link]
    more: list[Link]
    search_url: str

    @property
    def is_in_more(self) -> bool:
        """Return whether the page itself is among those that are needed less often."""
        return any(link.is_current for link in self.more)


def build_navigation(request: HttpRequest, apps: list[dict[str, Any]]) -> Navigation:
    """Return what is above a page of the console, as far as the user may see it.

    Args:
        apps: the admin's own ``available_apps``, which hold the models that the user may see.
    """
    url_name = _name_page(request)
    chosen = next((place for place in PLACES if place.holds(url_name)), None)
    links = [_build_link(request, place, is_current=place is chosen) for place in list_places(request)]
    more = [
        Link(str(model["name"]), model["admin_url"], _list_of(model) in url_name)
        for app in apps
        if app["app_label"] == APP
        for model in app["models"]
        if model.get("admin_url") and model["object_name"] not in _SHOWN_ALREADY
    ]
    may_search = has_permission(request.user, "django_wfe.view_job")
    return Navigation(links, more, _build_url(request, "django_wfe_job_search") if may_search else "")


def list_places(request: HttpRequest) -> list[Place]:
    """Return the places that the user may go to."""
    return [place for place in PLACES if all(has_permission(request.user, right) for right in place.permissions)]


def arrange_app_list(
    build: Callable[..., list[dict[str, Any]]],
) -> Callable[..., list[dict[str, Any]]]:
    """Return ``AdminSite.get_app_list`` with the console's places in front, and its other lists in a group below."""

    def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        return [part for app in build(request, app_label) for part in _arrange(request, app)]

    return get_app_list


def install_navigation(site: admin.AdminSite) -> None:
    """Have a site's index and sidebar show the console's places first."""
    site.get_app_list = arrange_app_list(site.get_app_list)  # type: ignore[method-assign]


def _arrange(request: HttpRequest, app: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if app["app_label"] != APP:
        yield app
        return
    models = {model["object_name"]: model for model in app["models"]}
    url_name = _name_page(request)
    chosen = next((place for place in PLACES if place.holds(url_name)), None)
    places = []
    for place in list_places(request):
        try:
            url = _build_url(request, place.address)
        except NoReverseMatch:  # a site with a part of the console alone
            continue
        # The admin marks each link that the address begins with: a fragment keeps it from marking two.
        url += "" if place is chosen else "#content-start"
        entry = {"add_url": None, "view_only": True, "perms": {"view": True}, "object_name": f"Console{place.name}"}
        places.append({**entry, **models.pop(place.model, {}), "name": place.title, "admin_url": url})
    if places:
        yield {**app, "models": places}
    if models:
        name = _("%(app)s: more") % {"app": app["name"]} if places else app["name"]
        yield {**app, "name": name, "models": list(models.values())}


def _build_link(request: HttpRequest, place: Place, *, is_current: bool) -> Link:
    count = counted = ""
    if place.name == "inbox":
        number, is_more = count_open_questions(request.user)
        count = write_count(number, is_more=is_more) if number else ""
        counted = ngettext("%(count)s job waits for input", "%(count)s jobs wait for input", number) % {"count": count}
    elif place.name == "incidents":
        number, is_more = count_incidents(request.user)
        count = write_count(number, is_more=is_more) if number else ""
        counted = ngettext("%(count)s kind of failure", "%(count)s kinds of failure", number) % {"count": count}
    return Link(str(place.title), _build_url(request, place.address), is_current, count, counted)


def _name_page(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.url_name or "") if match is not None else ""


def _build_url(request: HttpRequest, name: str) -> str:
    match = request.resolver_match
    return reverse(f"admin:{name}", current_app=match.namespace if match is not None else None)


def _list_of(model: dict[str, Any]) -> str:
    return f"{APP}_{model['object_name'].lower()}_"


_SHOWN_ALREADY = {place.model for place in PLACES} | {f"Console{place.name}" for place in PLACES}
