"""The console in a real browser, under a strict Content Security Policy: whatever it complains about fails the test."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.test import Client, override_settings
from django.test.testcases import QuietWSGIRequestHandler
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from django_wfe.engine.lifecycle import provide_external_input, run_workflow
from django_wfe.models import Job
from tests.console import ADDRESSES, build_world, record
from tests.engine_helpers import run_ready
from tests.workflows import Asking, Failing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHROMIUM = "/usr/bin/chromium"
POLICY = "django_wfe.demo.middleware.ContentSecurityPolicyMiddleware"


@pytest.fixture(scope="module", autouse=True)
def _allow_the_database_beside_playwright() -> Iterator[None]:
    # Playwright's own loop runs in this thread, and Django takes that for asynchronous code.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
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
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens a path of the console as a superuser."""
    contexts: list[Any] = []
    complaints: list[str] = []
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def open_it(path: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": address}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda message: complaints.extend(_list_complaints(message)))
        page.goto(address + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def _list_complaints(message: ConsoleMessage) -> list[str]:
    is_bad = message.type == "error" and not message.location["url"].endswith("/favicon.ico")
    # What a test has brought about: an ended session, a server that is away.
    if "status of 401" in message.text or "status of 503" in message.text:
        return []
    return [f"{message.location['url']}: {message.text}"] if is_bad else []


def build(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


@pytest.mark.parametrize(("color_scheme", "width"), [("light", 1280), ("dark", 360)])
def test_each_page_fits_and_breaks_no_policy(open_page: Callable[..., Page], color_scheme: str, width: int) -> None:
    world = build_world()
    page = open_page("/admin/", color_scheme=color_scheme, viewport={"width": width, "height": 800})
    base = page.url.removesuffix("/admin/")
    for entry in ADDRESSES:
        if not entry.gets or not entry.is_page:
            continue
        answer = page.goto(base + entry.build(world))
        assert answer is not None
        assert answer.status == 200, entry
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{entry} is {too_wide} px too wide"


def test_a_person_starts_a_job_answers_it_and_watches_it_end(open_page: Callable[..., Page]) -> None:
    workflow = record(Asking)
    page = open_page(build("django_wfe_console"))
    page.get_by_role("link", name=str(workflow)).click()
    page.get_by_label("Key").fill("order 7")
    page.get_by_role("button", name="Start the job").click()
    main = page.locator("#content-main")
    expect(main).to_have_attribute("data-state", "PENDING")
    job_id = int(main.get_attribute("data-job-id") or 0)

    run_ready(job_id)
    expect(main).to_have_attribute("data-state", "INPUT_REQUIRED")  # without a reload
    page.get_by_role("link", name="Give input").click()
    page.get_by_label("Some data").fill("7")
    page.get_by_role("button", name="Submit", exact=True).last.click()
    expect(main).to_have_attribute("data-state", "INPUT_RECEIVED")
    expect(page.locator(".messagelist")).to_contain_text("was taken")

    run_ready(job_id)
    expect(main).to_have_attribute("data-state", "FINISHED")
    expect(page.locator("#step-runs tbody tr[data-number]")).to_have_count(6)
    expect(main).not_to_have_attribute("data-live", "1")
    assert Job.objects.get(pk=job_id).storage["data"][-1]["result"] == "right 7"


def test_what_is_unfolded_or_focused_stays_while_the_page_refreshes(open_page: Callable[..., Page]) -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    page = open_page(build("django_wfe_job_change", job_id))
    fold = page.locator("tr[data-number='1'] details").first
    fold.locator("summary").click()
    expect(fold).not_to_have_attribute("open", "")
    pause = page.locator("a[data-verb='pause']")
    pause.focus()
    provide_external_input(job_id, {"some_data": 7})
    run_ready(job_id)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    expect(page.locator("tr[data-number='4']")).to_have_attribute("data-state", "FINISHED")
    expect(fold).not_to_have_attribute("open", "")
    expect(pause).to_be_focused()


def test_a_lost_session_shows_a_link_and_no_login_page_in_the_console(open_page: Callable[..., Page]) -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    page = open_page(build("django_wfe_job_change", job_id))
    expect(page.get_by_text("you are not signed in any more")).to_be_hidden()
    Session.objects.all().delete()
    expect(page.get_by_text("you are not signed in any more")).to_be_visible()
    expect(page.locator("#id_username")).to_have_count(0)
    page.get_by_role("link", name="Sign in again").click()
    expect(page.locator("#id_username")).to_be_visible()


def test_the_whole_story_works_without_javascript(open_page: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Failing))
    page = open_page(build("django_wfe_job_change", job_id), java_script_enabled=False)
    page.locator("#job-head").get_by_role("link", name="Retry").first.click()
    page.get_by_label("Reason").fill("The cause is mended.")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".messagelist")).to_contain_text("tries its step again")
    run_ready(job_id)
    page.reload()
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    expect(page.locator("#job-events")).to_contain_text("The cause is mended.")


def test_a_node_of_the_graph_leads_to_its_step_run(open_page: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Failing))
    page = open_page(build("django_wfe_job_change", job_id))
    page.locator(".wfe-diagram a").last.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.partition('#')[0]}#run-2-1")
