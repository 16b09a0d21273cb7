"""The console in a language written from right to left: nothing is wider than the page, drawings stay as they are."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from playwright.sync_api import Page, expect

import django_wfe
from tests.support.documents.catalogues import read_messages, write_invented
from tests.support.doors.console import ADDRESSES, Address, World, build_world

pytestmark = [pytest.mark.survey, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LANGUAGES = {"he": "he-IL", "ar": "ar-EG"}
WIDTHS = (1280, 360)
PAGES = [address for address in ADDRESSES if address.gets and address.is_page and "history" not in address.name]

# What sticks out of the page, and is not in a box of its own that scrolls.
LIST_OVERFLOWS = """() => {
    const width = document.documentElement.clientWidth;
    const isHeld = (element) => {
        for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) {
            if (getComputedStyle(box).overflowX !== "visible") {
                return true;
            }
        }
        return false;
    };
    return [...document.querySelectorAll("#content-main *")].filter((element) => {
        const box = element.getBoundingClientRect();
        const style = getComputedStyle(element);
        return box.width > 1 && box.height > 1 && style.visibility === "visible"
            && (box.right > width + 1 || box.left < -1) && !isHeld(element);
    }).map((element) => `${element.tagName}.${element.className.baseVal ?? element.className}`);
}"""


@pytest.fixture
def world(transactional_db: None) -> World:
    return build_world()


@pytest.fixture(params=LANGUAGES)
def locale(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Django's own texts in this language, and ours, which are in none, as long as those of another."""
    catalogue = Path(django_wfe.__file__).parent / "locale/de/LC_MESSAGES/django.po"
    write_invented(read_messages(catalogue), tmp_path / request.param / "LC_MESSAGES" / "django.mo")
    with override_settings(LOCALE_PATHS=[str(tmp_path)]):
        yield LANGUAGES[request.param]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_window(
    open_as: Callable[..., Page], operator: User, world: World, locale: str, width: int
) -> None:
    page = open_there(open_as, operator, locale, PAGES[0].build(world), width)
    overflows: dict[str, object] = {}
    for address in PAGES:
        page.goto("/".join(page.url.split("/")[:3]) + address.build(world))
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        found = page.evaluate(LIST_OVERFLOWS)
        scrolled = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        # Django's lists are tables of which the narrow page shows a part.
        if found or (scrolled > 0 and page.locator("#changelist").count() == 0):
            overflows[str(address)] = (scrolled, found[:3])
    assert overflows == {}, json.dumps(overflows, indent=1)


def test_the_graph_and_the_timeline_run_from_left_to_right(
    open_as: Callable[..., Page], operator: User, world: World, locale: str
) -> None:
    path = Address("django_wfe_job_change", ("failed",)).build(world)
    page = open_there(open_as, operator, locale, path, 1280)
    for drawing in (".wfe-diagram__picture", ".wfe-axis", ".wfe-bar"):
        assert page.locator(drawing).first.evaluate("element => getComputedStyle(element).direction") == "ltr", drawing
    start, failed = (
        page.locator(f"tr#run-{number}-1 .wfe-bar__segments rect").first.bounding_box() for number in (0, 1)
    )
    assert start is not None
    assert failed is not None
    assert start["x"] <= failed["x"]


def test_text_and_marks_begin_at_the_right(
    open_as: Callable[..., Page], operator: User, world: World, locale: str
) -> None:
    page = open_there(open_as, operator, locale, Address("django_wfe_console").build(world), 1280)
    heading = page.locator("#content-main h2").first
    assert heading.evaluate("element => getComputedStyle(element).direction") == "rtl"
    chip = page.locator("#content-main .wfe-chip").first
    icon, whole = chip.locator("svg").bounding_box(), chip.bounding_box()
    assert icon is not None
    assert whole is not None
    assert icon["x"] > whole["x"] + whole["width"] / 2


def open_there(open_as: Callable[..., Page], user: User, locale: str, path: str, width: int) -> Page:
    return open_as(user, path, locale=locale, viewport={"width": width, "height": 900})
