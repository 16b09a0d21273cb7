"""What axe-core finds on the pages of the console: nothing serious, light and dark, wide and narrow."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from django_wfe.engine.lifecycle import run_workflow, start_bulk, stop_bulk
from django_wfe.engine.statistics.rollup import roll_up
from django_wfe.models import Job
from tests.declared.inbox_workflows import Ordering
from tests.declared.job_input_workflows import Refund
from tests.support.doors.console import ADDRESSES, build_world, record
from tests.workflows import Failing, Linear

pytestmark = [pytest.mark.survey, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SERIOUS = {"serious", "critical"}
LOOKS = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)]

# By rule: what Django's own templates make, which a project cannot mend.
DJANGOS_OWN: dict[str, tuple[str, ...]] = {
    # admin/search_form.html: the label of the search holds only a picture. Its alternative text does name the field.
    "label-title-only": ("#searchbar",),
}


# axe-core puts styles of its own into the page; for this the policy is put aside. The other tests hold the pages to it.
@pytest.mark.parametrize("part", range(3))
def test_no_page_has_a_serious_problem(open_view: Callable[..., Page], part: int) -> None:
    world = build_world()
    record(Ordering)
    order = run_workflow(Ordering)
    page = open_view("django_wfe_console", bypass_csp=True)
    paths = {address.build(world) for address in ADDRESSES if address.gets and address.is_page}
    stopped = start_bulk("cancel", Job.objects.all())
    stop_bulk(stopped.pk, reason="the wrong filter")
    paths |= {reverse(f"admin:django_wfe_bulkrun_{name}", args=[stopped.pk]) for name in ("change", "history")}
    paths |= {reverse("admin:index"), reverse("admin:django_wfe_job_input", args=[order])}
    base = page.url.partition("/admin/")[0]
    found: dict[str, list[str]] = {}
    for path in sorted(paths)[part::3]:
        page.goto(base + path)
        found |= {f"{path} {look}": problems for look, problems in list_problems(page)}
    assert found == {}


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_no_preview_of_an_action_has_a_serious_problem(open_view: Callable[..., Page], verb: str) -> None:
    build_world()
    page = open_view("django_wfe_job_changelist", bypass_csp=True)
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option(f"{verb}_selected")
    page.locator("button[name=index]").click()
    expect(page.locator("#verb-form")).to_be_visible()
    assert dict(list_problems(page)) == {}


def test_what_came_back_with_errors_has_no_serious_problem(open_view: Callable[..., Page]) -> None:
    record(Ordering)
    page = open_view("django_wfe_job_input", run_workflow(Ordering), bypass_csp=True)
    page.get_by_label("City").fill("Uster")
    page.get_by_role("button", name="Submit", exact=True).last.click()
    expect(page.locator(".errornote")).to_be_visible()
    assert dict(list_problems(page)) == {}


def test_no_page_with_numbers_or_of_a_search_has_a_serious_problem(open_view: Callable[..., Page]) -> None:
    record(Failing)
    jobs = [run_workflow(Failing, key=f"order-{number}") for number in (4711, 4712)]
    run_workflow(record(Linear))
    Job.objects.filter(pk=jobs[0]).update(state="FINISHED")
    while roll_up():
        pass
    page = open_view("django_wfe_console", bypass_csp=True)
    base = page.url.partition("/admin/")[0]
    workflow = Job.objects.get(pk=jobs[0]).workflow_id
    shown = reverse("admin:django_wfe_workflow_change", args=[workflow])
    statistics = reverse("admin:django_wfe_statistics")
    found: dict[str, list[str]] = {}
    for path in (
        *(f"{shown}?heat={kind}" for kind in ("work", "waiting", "failures")),
        statistics,
        f"{statistics}?workflow={workflow}&heat=failures&period=24h",
        reverse("admin:django_wfe_job_compare", args=[jobs[1], jobs[0]]),
        f"{reverse('admin:django_wfe_job_search')}?q=order",
    ):
        page.goto(base + path)
        found |= {f"{path} {look}": problems for look, problems in list_problems(page)}
    assert found == {}


@pytest.mark.parametrize("name", ["start", "start_many", "change", "job"])
def test_no_page_about_what_a_job_starts_with_has_a_serious_problem(open_view: Callable[..., Page], name: str) -> None:
    workflow = record(Refund)
    job = run_workflow(Refund, input={"order": 1042, "lines": [{"article": "A4"}], "token": "hush-hush"})
    if name == "job":
        page = open_view("django_wfe_job_change", job, bypass_csp=True)
    else:
        page = open_view(f"django_wfe_workflow_{name}", workflow.pk, bypass_csp=True)
    if name == "start":
        page.get_by_role("button", name="Start the job").click()
        expect(page.locator(".errornote")).to_be_visible()
    assert dict(list_problems(page)) == {}


def test_a_problem_would_be_found(open_view: Callable[..., Page]) -> None:
    page = open_view("django_wfe_console", bypass_csp=True)
    page.evaluate("document.querySelector('#content-main').append(document.createElement('button'))")
    assert [look for look, _ in list_problems(page)] == LOOKS


def list_problems(page: Page) -> Iterator[tuple[tuple[str, int], list[str]]]:
    """Give each look of this page in which axe-core finds something serious, and what."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    # Links of the admin fade from colour to colour, and what is measured on the way is neither.
    page.add_style_tag(content="*, ::before, ::after { transition: none !important; }")
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        answer = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
        problems = [
            f"{rule['id']} ({rule['impact']}): {node['target']} {node['html'][:300]}: {node['failureSummary']}"
            for rule in answer["violations"]
            if rule["impact"] in SERIOUS
            for node in rule["nodes"]
            if not _is_djangos_own(rule["id"], node)
        ]
        if problems:
            yield (scheme, width), problems


def _is_djangos_own(rule: str, node: dict[str, Any]) -> bool:
    return any(part in str(node["target"]) for part in DJANGOS_OWN.get(rule, ()))
