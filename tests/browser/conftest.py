"""The console in a real browser, under a strict Content Security Policy: whatever it complains about fails the test."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.test import Client, override_settings
from django.test.testcases import QuietWSGIRequestHandler
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
POLICY = "django_wfe.demo.middleware.ContentSecurityPolicyMiddleware"


@pytest.fixture
def console_address(transactional_db: None) -> Iterator[str]:
    """The address of a server with the strict policy, on this test's database."""
    with override_settings(MIDDLEWARE=[POLICY, *settings.MIDDLEWARE]):
        server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler, ipv6=False)
        server.daemon_threads = False
        server.set_app(StaticFilesHandler(get_wsgi_application()))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def console_browser() -> Iterator[Browser]:
    # Playwright's own loop runs in this thread, and Django takes that for asynchronous code.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_as(console_browser: Browser, console_address: str) -> Iterator[Callable[..., Page]]:
    """Opens a path of the console as a user: ``open_as(user, path, **options of the browser's context)``."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_it(user: User, path: str, **options: Any) -> Page:
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        context = console_browser.new_context(**options)
        contexts.append(context)
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": console_address}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda message: complaints.extend(_list_complaints(message)))
        page.goto(console_address + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def operator(transactional_db: None) -> User:
    return User.objects.create_superuser("operator")


@pytest.fixture
def open_view(operator: User, open_as: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a view of the console as a superuser: ``open_view(name, *arguments, **options of the context)``."""

    def open_it(name: str, *arguments: object, **options: Any) -> Page:
        page = open_as(operator, reverse(f"admin:{name}", args=arguments), **options)
        expect(page.locator("#content-main")).to_be_visible()
        return page

    return open_it


def _list_complaints(message: ConsoleMessage) -> list[str]:
    is_bad = message.type == "error" and not message.location["url"].endswith("/favicon.ico")
    # What a test has brought about: an ended session, a server that is away.
    if "status of 401" in message.text or "status of 503" in message.text:
        return []
    return [f"{message.location['url']}: {message.text}"] if is_bad else []
