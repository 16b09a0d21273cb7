from datetime import timedelta
import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from django_wfe.engine.lifecycle import claim_input, run_workflow, save_draft, start_job
from django_wfe.models import StepRun
from tests.console import record
from tests.inbox_workflows import Numbering, Ordering
from tests.workflows import Asking
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OUT = "/tmp/wfe/inbox_shots"

def test_shots(open_as, tmp_path):
    ann = User.objects.create_superuser("ann.meier")
    bob = User.objects.create_superuser("bob.huber")
    for w in (Ordering, Numbering, Asking): record(w)
    runs = []
    for n in range(12):
        job = run_workflow([Ordering, Numbering, Asking][n % 3], key=f"order {n}" if n % 4 == 0 else None)
        runs.append(StepRun.objects.get(job_id=job, state="INPUT_REQUIRED"))
        StepRun.objects.filter(pk=runs[-1].pk).update(created_at=timezone.now() - timedelta(hours=30 - 2.5 * n, minutes=n))
    claim_input(runs[1].pk, bob); claim_input(runs[4].pk, ann); claim_input(runs[2].pk, ann)
    save_draft(runs[0].pk, {"customer": ["Ada"], "lines": ["0"], "lines-0-article": ["pen"]}, ann)
    record(Numbering); start_job(record(Ordering), key="known")
    f = tmp_path / "orders.csv"
    f.write_text("key,customer,address.city,lines,colour\nfirst,Ada,Uster,\"[{\"\"article\"\": \"\"pen\"\", \"\"price\"\": 1.5}]\",red\nknown,Bob,Bern,,\nsecond,,Bern,,\nfirst,Eve,Zug,,\nthird,A name that is much too long for it,Bern,[1],\n" + "".join(f"k{n},Customer {n},City {n},,\n" for n in range(5)))
    w = record(Ordering)
    for scheme in ("light", "dark"):
        for width in (1280, 360):
            opts = dict(color_scheme=scheme, viewport={"width": width, "height": 900})
            def shot(page, name):
                too = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert too <= 0, (name, width, too)
                page.screenshot(path=f"{OUT}/{name}-{scheme}-{width}.png", full_page=True)
            page = open_as(ann, "/admin/django_wfe/job/inbox/", **opts); shot(page, "inbox")
            base = page.url.partition("/admin/")[0]
            page.goto(base + "/admin/django_wfe/job/inbox/?assigned=mine&workflow=999"); shot(page, "inbox-empty")
            page.goto(base + reverse("admin:django_wfe_job_input", args=[runs[0].job_id])); shot(page, "input-mine")
            page.goto(base + reverse("admin:django_wfe_job_input", args=[runs[1].job_id])); shot(page, "input-held")
            page.goto(base + reverse("admin:django_wfe_workflow_start_many", args=[w.pk])); shot(page, "many-upload")
            page.get_by_label("File").set_input_files(f); page.get_by_role("button", name="Look at the rows").click(); shot(page, "many-preview")
            page.goto(base + reverse("admin:django_wfe_workflow_change", args=[w.pk])); shot(page, "workflow")

def test_time():
    import time
    from django_wfe.engine.lifecycle import StartRow, start_many, plan_starts
    w = record(Numbering); a = User.objects.create_superuser("a")
    rows = [StartRow(n, f"k{n}", {"some_data": n}) for n in range(5000)]
    t = time.time(); plan_starts(w, rows, actor=a); t2 = time.time(); start_many(w, rows[:1000], actor=a, source="admin"); print("PLAN", t2 - t, "START 1000", time.time() - t2)
