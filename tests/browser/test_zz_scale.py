import time, pytest
from django.contrib.auth.models import User, Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_wfe.engine.lifecycle import claim_input, run_workflow
from django_wfe.models import StepRun, Job
from tests.console import record, sign_in_superuser, sign_in
from tests.inbox_workflows import Numbering, Guarded
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
def test_scale():
    record(Guarded); w = record(Numbering); d = w.current_definition_id
    with connection.cursor() as c:
        c.execute("""INSERT INTO django_wfe_job (uuid, workflow_id, definition_id, state, current_step, current_step_number, created_at, error)
          SELECT gen_random_uuid(), %s, %s, CASE WHEN g %% 5 = 0 THEN 'INPUT_REQUIRED' ELSE 'FINISHED' END, 'tests.inbox_workflows.AskAtOnce', 1, now() - g * interval '1 second', '' FROM generate_series(1, 500000) g""", [w.pk, d])
        c.execute("""INSERT INTO django_wfe_steprun (job_id, number, attempt, step, state, epoch, created_at, due_at, dispatched_at, lost_before, superseded, dispatches, error_type, error, traceback, fingerprint)
          SELECT id, n, 1, current_step, CASE WHEN n = 1 AND state = 'INPUT_REQUIRED' THEN 'INPUT_REQUIRED' ELSE 'FINISHED' END, 0, created_at, created_at, created_at, 0, false, 0, '', '', '', '' FROM django_wfe_job, generate_series(0, 1) n""")
        c.execute("ANALYZE")
    for client in (sign_in_superuser(), sign_in("view_job", "provide_input_job", "view_workflow")):
        user = User.objects.get(pk=client.session["_auth_user_id"])
        for run in StepRun.objects.filter(state="INPUT_REQUIRED").order_by("-pk")[:30]:
            claim_input(run.pk, user, take_over_from=getattr(getattr(run, "input_claim", None), "user_id", None))
        last = StepRun.objects.filter(state="INPUT_REQUIRED").order_by("-created_at")[2000].pk
        for q in ("", "?assigned=mine", "?assigned=unclaimed", f"?workflow={w.pk}", "?workflow=1", f"?after={last}"):
            client.get("/admin/django_wfe/job/inbox/" + q)
            t = time.time()
            with CaptureQueriesContext(connection) as cap:
                assert client.get("/admin/django_wfe/job/inbox/" + q).status_code == 200
            print(q, round(time.time() - t, 3), len(cap), sorted(float(x["time"]) for x in cap)[-3:])
        job = Job.objects.filter(state="INPUT_REQUIRED").first()
        t = time.time(); client.get(f"/admin/django_wfe/job/{job.pk}/input/"); print("input", time.time() - t)
