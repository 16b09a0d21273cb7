"""What every admin of the console has in common: read-only models, rights from the engine, rendering of pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import django
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from django_wfe.admin.frame.lists import ConsoleList
from django_wfe.admin.frame.live import (
    DIAGRAM_MEDIA,
    FRAGMENT_FRAME,
    FRAME,
    LIVE_MEDIA,
    Live,
    finish_fragment,
    is_fragment_request,
    refuse_lost_sessions,
    vary_on_fragments,
)
from django_wfe.admin.frame.paginator import CappedPaginator
from django_wfe.admin.frame.refusals import show_refusals
from django_wfe.admin.frame.responses import ConsoleResponse, have_texts_only_show
from django_wfe.admin.frame.trouble import tell_database_trouble, warn_of_no_workflows
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import has_permission, list_visible

STYLESHEETS = ["django_wfe/diagram.css", "django_wfe/timeline.css", "django_wfe/console.css", "django_wfe/repair.css"]

ModelType = TypeVar("ModelType", bound=models.Model)

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
else:

    class _ModelAdmin(admin.ModelAdmin):
        # Django's class takes no type parameter at run time; its stubs ask for one.
        def __class_getitem__(cls, item: Any) -> type:
            return cls


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step of the breadcrumbs; ``url`` is "" for the page itself."""

    text: str
    url: str = ""


class ConsoleAdmin(_ModelAdmin[ModelType]):
    """A model that the console shows and never edits. Rows change through ``engine/lifecycle.py`` only.

    Attributes:
        view_right: the permission that shows a row of this model; the engine's rights may narrow it per workflow.
    """

    view_right: str = ""
    actions: Sequence[Any] | None = ()
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 200

    class Media:
        css = {"all": STYLESHEETS}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelType]:
        """Return the rows that the user may see."""
        return list_visible(self.model, request.user)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ModelType | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelType | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: ModelType | None = None) -> bool:
        right = self.view_right or f"{self.opts.app_label}.view_{self.opts.model_name}"
        return has_permission(request.user, right, self.get_workflow_of(obj) if obj is not None else None)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow the list's own filters and no other column.

        By "?error__contains=..." people could ask, letter by letter, for what they may not see.
        """
        for chosen in self.list_filter:
            if isinstance(chosen, str):
                # PostgreSQL keeps no NUL, and raises an error of its own; the classes below look for themselves.
                if lookup in (f"{chosen}__exact", f"{chosen}__isnull") and is_storable(str(value)):
                    return True
            elif lookup in getattr(chosen, "parameter_names", (getattr(chosen, "parameter_name", None),)):
                return True
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ModelType | None:
        # Django takes "?_to_field=" for a field without a name.
        return super().get_object(request, object_id, from_field or None)

    def get_urls(self) -> list[URLPattern]:
        patterns: list[URLPattern] = super().get_urls()
        for pattern in patterns:
            pattern.callback = self._guard(pattern.callback)
        return patterns

    def get_workflow_of(self, obj: ModelType) -> Any:
        """Return the Workflow that decides about the rights for ``obj``, or None."""
        return None

    def require_view_permission(self, request: HttpRequest, obj: ModelType | None = None) -> None:
        """Raise PermissionDenied where the user may not see ``obj``, or any row where that is None."""
        if not self.has_view_permission(request, obj):
            raise PermissionDenied

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleList]:
        return ConsoleList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        crumbs = self._build_crumbs(request, [Crumb(self.list_crumb().text)])
        response = super().changelist_view(request, {**crumbs, **(extra_context or {})})
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown and not shown["cl"].result_list:
            warn_of_no_workflows(request)
        return have_texts_only_show(response)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        crumbs = self._build_crumbs(request, [self.list_crumb(), Crumb(capfirst(str(self.opts.verbose_name)))])
        shown = {**crumbs, **(extra_context or {})}
        return have_texts_only_show(super().changeform_view(request, object_id, form_url, shown))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # Without the right no row is found, and Django would lead to the index with "it may have been deleted".
        self.require_view_permission(request)
        crumbs = self._build_crumbs(request, [self.list_crumb(), Crumb(_("History"))])
        return have_texts_only_show(super().history_view(request, object_id, {**crumbs, **(extra_context or {})}))

    def build_url(self, name: str, *args: Any) -> str:
        """Return the address of a page of the admin site that this admin belongs to."""
        return reverse(f"admin:{name}", args=args, current_app=self.admin_site.name)

    def build_changelist_url(self) -> str:
        """Return the address of this model's list."""
        return self.build_url(f"{self.opts.app_label}_{self.opts.model_name}_changelist")

    def build_object_url(self, pk: Any) -> str:
        """Return the address of one row's page."""
        return self.build_url(f"{self.opts.app_label}_{self.opts.model_name}_change", pk)

    def route(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """Return a URL of this admin: ``view(model_admin, request, ...)`` behind the site's login."""
        # What is typed here is in no report of an error: it may be a secret.
        guarded = self.admin_site.admin_view(sensitive_post_parameters()(partial(view, self)))
        return path(route, self._guard(guarded), name=name)

    def _guard(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        return tell_database_trouble(refuse_lost_sessions(show_refusals(view, self.admin_site), self.admin_site))

    def render(
        self,
        request: HttpRequest,
        template: str,
        *,
        title: str,
        crumbs: Sequence[Crumb] = (),
        is_root: bool = False,
        media: forms.Media | None = None,
        live: Live | None = None,
        **context: Any,
    ) -> HttpResponse:
        """Render a page of the console inside the admin's own frame; of a ``live`` page also just what changes."""
        request.current_app = self.admin_site.name
        shared = {"opts": self.opts, "title": title, "live": live, "live_url": request.get_full_path(), **context}
        if live is not None and is_fragment_request(request):
            shared |= {"page_frame": FRAGMENT_FRAME}
            return finish_fragment(ConsoleResponse(request, template, shared), live)
        media = media or forms.Media()
        if live is not None and live.seconds:
            media += LIVE_MEDIA
        if context.get("diagram"):
            media += DIAGRAM_MEDIA
        frame = self.build_frame(request, [*crumbs, Crumb(str(title))], media, is_root=is_root)
        response = ConsoleResponse(request, template, {**self.admin_site.each_context(request), **frame, **shared})
        if live is not None:
            vary_on_fragments(response)
        return response

    def build_frame(
        self,
        request: HttpRequest,
        crumbs: Sequence[Crumb],
        media: forms.Media | None = None,
        *,
        is_root: bool = False,
    ) -> dict[str, Any]:
        """Return what "django_wfe/console/page.html" needs besides the admin's own context."""
        return {
            # Not self.media: these pages need none of the scripts of the admin's change forms.
            "media": forms.Media(css={"all": ["admin/css/forms.css", *STYLESHEETS]}) + (media or forms.Media()),
            "page_frame": FRAME,
            **self._build_crumbs(request, crumbs, is_root=is_root),
        }

    def _build_crumbs(self, request: HttpRequest, crumbs: Sequence[Crumb], *, is_root: bool = False) -> dict[str, Any]:
        if is_root:
            root = []
        elif has_permission(request.user, "django_wfe.view_job"):
            root = [Crumb(_("Workflow console"), self.build_url("django_wfe_console"))]
        else:
            root = [Crumb(str(self.opts.app_config.verbose_name), self.build_url("app_list", self.opts.app_label))]
        # Django 6.1 made the admin's breadcrumbs a list.
        return {"crumbs": [*root, *crumbs], "crumbs_are_list": django.VERSION >= (6, 1)}

    def list_crumb(self) -> Crumb:
        """Return the breadcrumb of this model's list."""
        return Crumb(capfirst(str(self.opts.verbose_name_plural)), self.build_changelist_url())


def refuse_other_methods(request: HttpRequest, *allowed: str) -> HttpResponseNotAllowed | None:
    """Return the answer to a method that a page does not know, or None if it does."""
    return None if request.method in allowed else HttpResponseNotAllowed(allowed)
