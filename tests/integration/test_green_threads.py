"""Under gevent and eventlet steps are refused, plainly: their timeouts and cancels would not come."""

import json
import subprocess
import sys

import pytest
from django.conf import settings

from django_wfe.engine.isolation.green_threads import refuse_green_threads
from django_wfe.exceptions import GreenThreads
from django_wfe.models import Job, StepRun, Worker

pytestmark = pytest.mark.integration

ORDER = """
from gevent import monkey
monkey.patch_all()
import django
django.setup()
import json
from django_wfe import order_workflow_execution, provide_external_input, run_workflow
from django_wfe.exceptions import GreenThreads
from django_wfe.models import Job
from tests import workflows
from tests.declared import input_workflows

try:
    run_workflow(workflows.Linear)
except GreenThreads as error:
    refused = str(error)
before = Job.objects.count()
order_workflow_execution(workflows.Linear)
asking = order_workflow_execution(input_workflows.Ordering)
print(json.dumps([refused, before, Job.objects.count(), Job.objects.get(pk=asking).state]))
"""


def run_with(environment, *command):
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.mark.django_db(transaction=True)
def test_a_worker_on_gevent_refuses_to_start_and_says_what_to_do(child_environment, redis_url):
    environment = {
        **child_environment,
        "WFE_TEST_BROKER_URL": redis_url,
        "WFE_TEST_QUEUE": settings.WFE_QUEUE,
        "WFE_TEST_SETTINGS": json.dumps({}),
    }
    done = run_with(environment, "-m", "django", "rundramatiq", "--use-gevent", "--processes", "1", "--threads", "2")
    assert done.returncode == 78, done.stderr
    assert "Steps cannot run in this process: gevent has patched its threads" in done.stderr
    assert "without --use-gevent" in done.stderr
    assert "Traceback" not in done.stderr
    assert Worker.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_process_on_gevent_starts_jobs_and_runs_none(child_environment):
    done = run_with(child_environment, "-c", ORDER)
    assert done.returncode == 0, done.stderr
    refused, before, after, state = json.loads(done.stdout)
    assert "order_workflow_execution()" in refused
    assert (before, after, state) == (0, 2, "INPUT_REQUIRED")
    assert Job.objects.count() == 2
    assert not StepRun.objects.exclude(worker_id=None).exists()


def test_gevent_without_its_threads_is_no_trouble():
    code = (
        "from gevent import monkey; monkey.patch_all(thread=False); import gevent\n"
        "from django_wfe.engine.isolation.green_threads import refuse_green_threads; refuse_green_threads()"
    )
    done = run_with(None, "-c", code)
    assert done.returncode == 0, done.stderr


def test_eventlet_is_refused_too(monkeypatch):
    class Patcher:
        """As eventlet.patcher, whose function this is."""

        @staticmethod
        def is_monkey_patched(module):
            return module == "thread"

    monkeypatch.setitem(sys.modules, "eventlet.patcher", Patcher)
    with pytest.raises(GreenThreads, match="eventlet has patched its threads"):
        refuse_green_threads()
