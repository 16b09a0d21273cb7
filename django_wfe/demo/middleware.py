"""What only the demo adds to each response."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class ContentSecurityPolicyMiddleware:
    """Forbid the browser everything that does not come from the demo itself, inline scripts and styles included.

    So each page that works in the demo works in an installation with a strict policy.
    """

    POLICY = "default-src 'self'"

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = self.POLICY
        return response
