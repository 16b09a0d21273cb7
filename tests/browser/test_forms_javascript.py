"""Input forms in a real browser: lists and optional groups, with JavaScript and without it."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from django.test.testcases import QuietWSGIRequestHandler
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of the page, served without a database."""
    with override_settings(ROOT_URLCONF="tests.browser.forms_pages"):
        server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler, ipv6=False)
        server.set_app(StaticFilesHandler(get_wsgi_application()))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
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
    """Opens the page; whatever the browser complains about fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_it(path: str = "", **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(address + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def fill_in(page: Page) -> None:
    page.get_by_label("Title").fill("Paper")
    page.get_by_label("Article").first.fill("A4")


def save(page: Page) -> Any:
    page.get_by_role("button", name="Save", exact=True).click()
    return json.loads(page.locator("pre").inner_text())


@pytest.mark.parametrize("javascript", [True, False])
def test_items_are_added_and_removed_and_arrive_in_order(open_page: Callable[..., Page], *, javascript: bool) -> None:
    page = open_page(java_script_enabled=javascript)
    fill_in(page)
    page.get_by_role("button", name="Add Line").click()
    page.get_by_label("Article").nth(1).fill("A5")
    page.get_by_role("button", name="Add Tax").nth(1).click()
    page.get_by_label("Rate").fill("19")
    page.get_by_role("button", name="Add Tags").click()
    page.get_by_label("Tags 1").fill("office")
    page.get_by_role("button", name="Remove Line 1").click()
    expect(page.get_by_role("group", name="Line 1")).to_be_visible()
    assert save(page) == {
        "title": "Paper",
        "ship_to": None,
        "lines": [{"article": "A5", "price": "1.50", "taxes": [{"rate": 19}]}],
        "tags": ["office"],
    }


def test_an_optional_group_is_hidden_and_not_sent_until_it_is_provided(open_page: Callable[..., Page]) -> None:
    page = open_page()
    expect(page.get_by_label("Street")).to_be_hidden()
    page.get_by_label("Provide Ship to").check()
    page.get_by_label("Street").fill("Side Street")
    page.get_by_label("Provide Ship to").uncheck()
    fill_in(page)
    assert save(page)["ship_to"] is None


def test_a_provided_group_is_sent_and_its_errors_are_shown(open_page: Callable[..., Page]) -> None:
    page = open_page()
    fill_in(page)
    page.get_by_label("Provide Ship to").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Field required", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Ship to › Street")).to_be_visible()
    street = page.get_by_label("Street")
    expect(street).to_have_attribute("aria-invalid", "true")
    street.fill("Side Street")
    assert save(page)["ship_to"] == {"street": "Side Street"}


def test_a_full_list_takes_no_more_and_one_removed_makes_room(open_page: Callable[..., Page]) -> None:
    page = open_page()
    add = page.get_by_role("button", name="Add Line")
    add.click()
    add.click()
    expect(add).to_be_disabled()
    page.get_by_role("button", name="Remove Line 2").click()
    expect(add).to_be_enabled()
    expect(page.get_by_role("group", name="Line 2")).to_be_visible()
    expect(page.get_by_role("group", name="Line 3")).to_have_count(0)


def test_the_keyboard_goes_to_the_new_item_and_stays_in_the_list(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Add Line").press("Enter")
    expect(page.get_by_label("Article").nth(1)).to_be_focused()
    page.get_by_role("button", name="Remove Line 2").press("Enter")
    expect(page.get_by_role("button", name="Remove Line 1")).to_be_focused()


def test_the_enter_key_in_an_input_saves(open_page: Callable[..., Page]) -> None:
    page = open_page()
    fill_in(page)
    page.get_by_label("Title").press("Enter")
    assert json.loads(page.locator("pre").inner_text())["title"] == "Paper"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_does_not_scroll_sideways(open_page: Callable[..., Page], scheme: str) -> None:
    page = open_page(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    page.get_by_label("Provide Ship to").check()
    page.get_by_role("button", name="Add Tax").click()
    page.get_by_role("button", name="Add Tags").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page = open_page("visit/", viewport={"width": 360, "height": 800}, color_scheme=scheme)
    page.get_by_label("Amount").fill("12,50")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


# What a person types, and what of it a control of a native type posts: "" for each of these.
HALF_TYPED = [("Due", "1231"), ("Due", "02302026"), ("At", "12312026"), ("Start", "12")]


@pytest.mark.parametrize("button", ["Save", "Save draft"])
@pytest.mark.parametrize(("label", "keys"), HALF_TYPED)
def test_a_half_typed_date_is_not_sent_as_nothing(
    open_page: Callable[..., Page], label: str, keys: str, button: str
) -> None:
    page = open_page("visit/", locale="en-US")
    control = page.get_by_label(label, exact=True)
    control.press_sequentially(keys)
    assert control.input_value() == ""
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator(".errorlist")).to_have_text(re.compile(f"^{label}: .*Complete it, or clear it"))
    expect(control).to_be_focused()
    expect(control).to_have_attribute("aria-invalid", "true")
    expect(control).to_have_attribute("aria-describedby", re.compile("_half_typed$"))
    control.fill("")
    expect(page.locator(".errorlist")).to_have_count(0)
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator("pre")).to_be_visible()


def test_a_half_typed_date_in_an_item_that_was_added_is_stopped_too(open_page: Callable[..., Page]) -> None:
    page = open_page("visit/", locale="en-US")
    page.get_by_role("button", name="Add Days").click()
    page.get_by_role("button", name="Add Days").click()
    page.get_by_label("Days 2").press_sequentially("1231")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_contain_text("Days 2: ")
    page.get_by_role("button", name="Remove Days 2").click()
    page.get_by_label("Days 1").fill("2026-12-31")
    assert save(page)["days"] == ["2026-12-31"]


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize(
    ("label", "typed", "told"),
    [
        ("Qty", "12-5", "valid integer"),
        ("Qty", "5-", "valid integer"),
        ("Copies", "5-", "valid integer"),
        ("Amount", "12,50", "enthält ein Komma"),
        ("Note", "😀😀😀😀😀😀", "at most 5 characters"),
        ("Contact", "no address", "valid URL"),
    ],
)
def test_what_cannot_be_read_is_posted_as_it_was_typed_and_told(
    open_page: Callable[..., Page], label: str, typed: str, told: str, *, javascript: bool
) -> None:
    page = open_page("visit/", java_script_enabled=javascript, locale="de-DE")
    control = page.get_by_label(label, exact=True)
    control.clear()
    control.press_sequentially(typed)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_contain_text(told)
    expect(control).to_have_value(typed)


def test_a_pasted_text_is_not_cut(open_page: Callable[..., Page]) -> None:
    page = open_page("visit/")
    note = page.get_by_label("Note")
    note.focus()
    page.keyboard.insert_text("😀😀😀😀😀")  # five characters, ten to a browser
    assert save(page)["note"] == "😀😀😀😀😀"


def test_dates_are_typed_as_text_without_a_script_and_picked_with_one(open_page: Callable[..., Page]) -> None:
    for javascript, kind in ((False, "text"), (True, "date")):
        page = open_page("visit/", java_script_enabled=javascript)
        due = page.get_by_label("Due", exact=True)
        expect(due).to_have_attribute("type", kind)
        due.fill("2026-01-31")
        page.get_by_label("At", exact=True).fill("2026-01-31T12:30")
        given = save(page)
        assert given["due"] == "2026-01-31"
        assert given["at"].startswith("2026-01-31T12:30:00")


def test_without_a_script_half_a_date_is_told(open_page: Callable[..., Page]) -> None:
    page = open_page("visit/", java_script_enabled=False)
    page.get_by_label("Due", exact=True).fill("31.12.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_contain_text("valid date")
    expect(page.get_by_label("Due", exact=True)).to_have_value("31.12.")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_list_that_no_request_could_hold_becomes_one_text_with_all_that_was_typed(
    open_page: Callable[..., Page], settings: Any, *, javascript: bool
) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 40 + 12
    page = open_page("visit/", java_script_enabled=javascript)
    page.get_by_role("button", name="Add Days").click()
    page.get_by_label("Days 1").fill("2026-01-31")
    page.get_by_role("button", name="Add Days").click()
    text = page.get_by_label("Days", exact=True)
    expect(text).to_have_value('[\n  "2026-01-31"\n]')
    expect(text).to_be_focused()
    text.fill('["2026-01-31", "2026-02-01"]')
    assert save(page)["days"] == ["2026-01-31", "2026-02-01"]
