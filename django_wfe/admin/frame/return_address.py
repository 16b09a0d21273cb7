"""Where a form leads back to: the page of the project that people came from, or the console's own."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

RETURN = "next"
"""The parameter of an address that names the page to return to."""


def read_return_address(request: HttpRequest) -> str:
    """Return the page of this site that the address names to return to, or "" if it names none, or one elsewhere."""
    address = request.GET.get(RETURN, "")
    is_safe = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_safe else ""
