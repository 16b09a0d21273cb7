"""Take the pictures of the console that the documentation shows: ``make screenshots``.

Brings up the demo in a temporary directory, has people use it, and opens each page in a headless Chromium, light and
dark.

    CHROMIUM   the browser to take (default: /usr/bin/chromium)
"""

import json
import os
import re
import shutil
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from django_wfe.demo.servers.installation import Installation
from tests.support.demo.scenarios import deliver_by_a_carrier_that_recovers, purchase_after_a_change
from tests.support.demo.visits import Given, Visit

Scheme = Literal["light", "dark"]
ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WIDTH = 1280
MARGIN = 24
HEIGHT = 800
TALLEST = 1800  # pixels
TALL = ("home", "compare")
"""The pages that are shown down to their end; the others stop where a window of ``HEIGHT`` does."""
ENDS = {
    "workflow": "#workflow-graph",
    "heat": "#workflow-graph",
    "job-waiting": "#job-timeline",
    "job-failed": "#job-timeline",
}
"""The last part that is shown of a longer page."""
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
ADMIN = "admin/django_wfe/"
# Whose machine took the pictures is nobody's business; tracebacks tell the code's folder, workers the host's name.
PATHS_HIDDEN = sorted({f"{ROOT}/", *(f"{sysconfig.get_path(name)}/" for name in ("purelib", "platlib", "stdlib"))})
HOST_HIDDEN = rf"\b{re.escape(socket.gethostname())}\b"
HOST_SHOWN = "worker-1"
HIDE_MACHINE = """
  const paths = %s, host = new RegExp(%s, "g"), shown = %s;
  const hide = (text) => paths.reduceRight((rest, path) => rest.replaceAll(path, ""), text).replace(host, shown);
  const hideInText = (node) => {
    if (hide(node.data) !== node.data) node.data = hide(node.data);
  };
  const hideIn = (root) => {
    if (root.nodeType === Node.TEXT_NODE) return hideInText(root);
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) hideInText(texts.currentNode);
    for (const element of root.querySelectorAll("[title], [aria-label]"))
      for (const name of ["title", "aria-label"]) {
        const text = element.getAttribute(name) ?? "";
        if (hide(text) !== text) element.setAttribute(name, hide(text));
      }
  };
  // Live parts are exchanged at any time; an observer runs before what has changed is painted.
  new MutationObserver((changes) => changes.forEach((change) => hideIn(change.target)))
    .observe(document, { childList: true, subtree: true, characterData: true });
"""
PARCELS = """key,weight,carrier
order 1042,1.5,works
order 1043,0.4,works
order 1044,heavy,works
order 1045,12,is down until an operator has retried twice
"""


def main() -> int:
    """Make the data, take every picture, and return 0."""
    directory = Path(tempfile.mkdtemp(prefix="wfe-screenshots-"))
    # The servers may run as another user; secrets in here have modes of their own.
    directory.chmod(0o755)
    installation = Installation(directory, port=0, say=say, durable=False)
    say(f"Logs are in {installation.logs}; they are deleted when all went well.")
    with installation:
        installation.start()
        visit = Visit(installation.address)
        visit.sign_in()
        jobs = make_jobs(visit)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            pages = make_pages(sign_in(browser, installation.address, "light"), installation.address, jobs)
            fail_delivery(visit, "Down", "Southend")
            for scheme in SCHEMES:
                take_all(sign_in(browser, installation.address, scheme), scheme, pages)
            browser.close()
    installation.delete()
    shutil.rmtree(directory)
    return 0


def make_jobs(visit: Visit) -> dict[str, int]:
    """Have ``admin`` and ``clerk`` work for a while; give the ids of the jobs that get pictures."""
    for _ in range(2):
        deliver_by_a_carrier_that_recovers(visit)
    purchase_after_a_change(visit)
    for name in ("Ada", "Ben", "Cleo"):
        job = visit.start_job("Purchase approval")
        visit.answer(visit.open_question(job, "RequestPurchase"), build_purchase(name, price="410.00"))
        visit.open_question(job, "AskTeamLead")
    revised = visit.start_job("Purchase approval")
    visit.answer(visit.open_question(revised, "RequestPurchase"), build_purchase("Kim", price="1290.00"))
    changes = {"answer": "ask for changes", "comment": "Two of them will do."}
    visit.answer(visit.open_question(revised, "AskTeamLead"), changes)
    visit.open_question(revised, "Revise")
    intake = visit.start_job("File intake")
    visit.answer(visit.open_question(intake, "AskForFile"), {"sample": "stations.json"})
    failed = [fail_delivery(visit, "Strict", town) for town in ("Oldtown", "Newtown", "Middletown", "Overtown")]
    for town in ("Eastend", "Westend", "Northend"):
        down = fail_delivery(visit, "Down", town)
        visit.retry(down)
        visit.wait_for_state(down, "FAILED", by=visit.admin)
    packed = visit.start_job("Flaky delivery", {"order": "1009", "weight": "0.4", "carrier": "Works"})
    visit.open_question(packed, "CallCarrier")
    asked = visit.start_job("Purchase approval")
    visit.open_question(asked, "RequestPurchase")
    return {"waiting": revised, "failed": failed[0], "asked": asked}


def build_purchase(requester: str, *, price: str) -> dict[str, Given]:
    """Give what somebody fills in to buy three vices."""
    return {
        "requester": requester,
        "cost_centre": "workshop",
        "items": [{"description": "Bench vice", "quantity": "3", "unit_price": price}],
        "needed_by": (date.today() + timedelta(days=14)).isoformat(),
    }


def fail_delivery(visit: Visit, carrier: str, town: str) -> int:
    """Start a delivery that fails at its carrier; give its id."""
    job = visit.start_job("Flaky delivery", {"order": "1009", "weight": "1.5", "carrier": carrier})
    address = {"name": "Kim", "street": "High Street 1", "town": town}
    visit.answer(visit.open_question(job, "CallCarrier"), address)
    visit.wait_for_state(job, "FAILED", by=visit.admin)
    return job


def make_pages(page: Page, base: str, jobs: dict[str, int]) -> dict[str, str]:
    """Do in the browser what is left to do: a draft, claims, a bulk run. Give the address of each page by its name."""
    home = f"{base}{ADMIN}"
    page.goto(f"{home}job/{jobs['asked']}/input/")
    page.get_by_label("Requester").fill("Dana")
    page.get_by_label("Cost centre").select_option("workshop")
    page.get_by_role("button", name="Save draft").click()
    page.goto(f"{home}job/incidents/")
    page.get_by_role("link", name="Call carrier: ValueError").first.click()
    incident = page.url
    page.goto(f"{home}job/incidents/")
    page.get_by_role("link", name="Call carrier: ConnectionError").first.click()
    page.get_by_role("link", name="Retry all jobs", exact=True).click()
    page.get_by_label("Reason").fill("The carrier says that it answers again.")
    page.locator("#verb-form input[type=submit]").click()
    expect(page.locator("#bulk-items tr[data-item='DONE']").first).to_be_visible()
    expect(page.get_by_text("Still to come")).to_have_count(0, timeout=30_000)
    bulk_run = page.url
    page.goto(f"{home}workflow/")
    page.get_by_role("link", name="Purchase approval").click()
    workflow = page.url
    page.goto(f"{home}workflow/")
    page.get_by_role("link", name="Flaky delivery").click()
    flaky = page.url
    start_many = flaky.replace("/change/", "/start-many/")
    return {
        "admin-index": f"{base}admin/",
        "home": f"{home}workflow/console/",
        "workflow": workflow,
        "heat": f"{flaky}?heat=failures",
        "compare": workflow.replace("/change/", "/compare/"),
        "statistics": f"{home}workflow/statistics/",
        "job-waiting": f"{home}job/{jobs['waiting']}/change/",
        "job-failed": f"{home}job/{jobs['failed']}/change/",
        "timeline": f"{home}job/{jobs['waiting']}/change/",
        "input": f"{home}job/{jobs['asked']}/input/",
        "inbox": f"{home}job/inbox/",
        "incidents": f"{home}job/incidents/",
        "incident": incident,
        "bulk-run": bulk_run,
        "jobs": f"{home}job/",
        "start-many": start_many,
    }


def sign_in(browser: Browser, base: str, scheme: Scheme) -> Page:
    """Open a window of these colours, signed in, without the admin's list of models at its side."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, locale="en")
    page = context.new_page()
    page.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    page.add_init_script(HIDE_MACHINE % tuple(map(json.dumps, (PATHS_HIDDEN, HOST_HIDDEN, HOST_SHOWN))))
    page.goto(f"{base}admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    return page


def take_all(page: Page, scheme: str, pages: dict[str, str]) -> None:
    """Write ``<page>-<scheme>.webp`` for each page."""
    prepare: dict[str, Callable[[Page], None]] = {"start-many": preview_file}
    with tempfile.TemporaryDirectory() as folder:
        for name, address in pages.items():
            page.goto(address)
            if name in prepare:
                prepare[name](page)
            taken = Path(folder) / f"{name}.png"
            if name == "timeline":
                page.locator("#job-timeline").screenshot(path=taken, animations="disabled")
            elif name == "admin-index":
                page.screenshot(path=taken, clip={"x": 0, "y": 0, "width": WIDTH, "height": 330})
            else:
                take(page, taken, TALLEST if name in {*TALL, *ENDS} else HEIGHT, end=ENDS.get(name, "#content-main"))
            picture = IMAGES / f"{name}-{scheme}.webp"
            with Image.open(taken) as image:  # without loss, in half the size
                image.save(picture, lossless=True, quality=100, method=6)
            say(f"{picture.name}: {picture.stat().st_size // 1024} KiB")


def preview_file(page: Page) -> None:
    """Give the page a file, and let it say what each row would do."""
    file = {"name": "parcels.csv", "mimeType": "text/csv", "buffer": PARCELS.encode()}
    page.get_by_label("File").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.locator("tr[data-outcome]").first).to_be_visible()


def take(page: Page, picture: Path, tallest: int, *, end: str) -> None:
    """Take the page from its top to the end of its part ``end``, or to ``tallest`` pixels."""
    page.mouse.move(0, 0)
    bottom = page.locator(end).evaluate("(part) => part.getBoundingClientRect().bottom + window.scrollY")
    height = min(tallest, bottom + MARGIN)
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height}
    page.screenshot(path=picture, full_page=True, clip=clip, animations="disabled")  # type: ignore[arg-type]


def say(line: str) -> None:
    """Write a line for the person who waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
