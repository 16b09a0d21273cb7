"""Asking the engine whether a person may make this call, before the request's body is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from django_wfe.engine.access import has_permission, require_permission
from django_wfe.exceptions import PermissionRequired


class PermissionsOfMethods(Protocol):
    """What is asked of a view: the permissions that each of its methods needs."""

    permissions: Mapping[str, tuple[str, ...]]

    def list_permissions(self) -> Iterable[str]:
        """Return every permission that some method needs."""


class HoldsPermission(BasePermission):
    """Lets those through who hold what the view names for the request's method.

    For a method that the view does not have (OPTIONS included) any one of the view's permissions will do, so that a
    person without rights learns nothing from it. The service checks again, with the row at hand.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the user holds the permission; where not, ``message`` names what is needed."""
        called: PermissionsOfMethods = view
        method = "GET" if request.method == "HEAD" else str(request.method)
        needed = called.permissions.get(method)
        if needed is None:
            return any(has_permission(request.user, permission) for permission in called.list_permissions())
        try:
            for permission in needed:
                require_permission(request.user, permission)
        except PermissionRequired as error:
            # Not raised on: the pages of DRF ask for methods that they would only offer.
            self.message = str(error)
            return False
        return True
