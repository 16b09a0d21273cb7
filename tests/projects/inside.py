"""What runs in a process of the project: ``python -m tests.projects.inside TASK ...``. Answers are one line of JSON."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

NAME, PASSWORD = "boss", "secret-4711"
COLLEAGUE = "colleague"
"""The one of the calls in ``tests.support.doors.api_calls``, which needs the REST framework."""


def make_people() -> Any:
    """Create a superuser, and give what the visitors need to know of this project."""
    from django.apps import apps
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.urls import reverse

    from django_wfe.models import Workflow

    call_command("makemigrations", "django_wfe", check_changes=True, dry_run=True)  # exits where one is missing
    model = get_user_model()
    for name in (NAME, COLLEAGUE):
        required = dict.fromkeys(model.REQUIRED_FIELDS, f"{name}@example.com")
        model._default_manager.create_superuser(**{model.USERNAME_FIELD: name, "password": PASSWORD, **required})
    told: dict[str, Any] = {
        "admin": apps.is_installed("django.contrib.admin"),
        "rest": apps.is_installed("rest_framework"),
        "workflow": Workflow.objects.get(name="Refund").pk,
    }
    if told["admin"]:
        told["login"] = reverse("admin:login")
        told["index"] = reverse("admin:index")
        told["start"] = reverse("admin:django_wfe_workflow_start", args=[told["workflow"]])
        told["job"] = reverse("admin:django_wfe_job_change", args=[4711])
    if told["rest"]:
        told["jobs"] = reverse("django_wfe:job_list")
    return told


def build_world() -> Any:
    """Make jobs in each state; list every address of the console and every call of the REST API that there is."""
    from django.apps import apps
    from django.urls import reverse

    from django_wfe.engine.lifecycle import pause_workflow
    from tests.workflows import Asking, Failing, Linear, Looping, Retrying, Telling

    told: dict[str, Any] = {"pages": [], "posts": [], "calls": []}
    for workflow in (Asking, Failing, Linear):
        _record(workflow)
    running, *paused = (_record(workflow).pk for workflow in (Retrying, Looping, Telling))
    for held in paused:
        pause_workflow(held)
    known = _make_jobs({}, "waiting paused failed bulk")
    if apps.is_installed("django.contrib.admin"):
        from tests.support.doors.console import ADDRESSES, World

        exports = apps.is_installed("import_export")
        there = [address for address in ADDRESSES if exports or not address.name.endswith("_export")]
        told["pages"] = [(address.build(World(known)), address.is_page) for address in there if address.gets]
        for address in there:
            if address.posts:
                world = World(_make_jobs(known, f"{address.arguments} {address.data}"))
                subject = address.arguments[0] if address.arguments else ""
                job = subject if subject in ("waiting", "paused", "failed") else ""
                leads_away = address.name in ("django_wfe_job_verb", "django_wfe_job_input")
                told["posts"].append((address.build(world), world.fill(address.data, job), leads_away))
    if apps.is_installed("rest_framework"):
        from tests.support.doors.api_calls import CALLS

        for call in CALLS:
            ids = _make_jobs(known, call.path.replace("{job}", "{waiting}"))
            # Others than those that the console pauses and resumes.
            found = {**ids, "workflow": running, "held": paused[1], "job": ids["waiting"], "bulk": ids["bulk_run"]}
            body = json.dumps(call.body).replace('"{workflow}"', str(running))
            path = reverse("django_wfe:workflow_list").removesuffix("workflows") + call.path.format(**found)
            told["calls"].append((call.method, path, body))
    return told


def build_world_unsent() -> Any:
    """Build the world without a worker that ends the bulk runs which are to be stopped."""
    from unittest.mock import Mock

    from django_wfe.engine.delivery.dispatcher import install_dispatcher

    install_dispatcher(Mock())
    return build_world()


def _record(workflow: Any) -> Any:
    from django_wfe.engine.project_code.recording import describe_workflow, record_workflow

    return record_workflow(describe_workflow(workflow))


def _make_jobs(known: dict[str, Any], wanted: str) -> dict[str, Any]:
    """Make anew what ``wanted`` names of the rows that a verb changes; give the ids by the names that tables use."""
    from django_wfe.engine.bulk.runs import start_bulk
    from django_wfe.engine.lifecycle import pause_job, run_workflow
    from django_wfe.engine.operations.recording_exports import record_export
    from django_wfe.models import Definition, Job, JobEvent, Step, StepRun, Worker, Workflow
    from tests.workflows import Asking, Failing, Linear

    ids = dict(known)
    if not known:
        ids["finished"] = run_workflow(Linear)
        ids["workflow"] = Workflow.objects.get(name="Linear").pk
        ids["paused_workflow"] = Workflow.objects.get(name="Looping").pk
        ids["definition"] = Definition.objects.filter(workflow__name="Asking").latest("pk").pk
        ids["step"] = Step.objects.get(path="tests.workflows.Ask").pk
        ids["worker"] = Worker.objects.earliest("started_at").pk
        ids["finished_run"] = StepRun.objects.get(job_id=ids["finished"], number=1).pk
        ids["export"] = record_export(Job.objects.filter(pk=ids["finished"]), kind="jobs", file_format="csv").pk
    if "waiting" in wanted:
        ids["waiting"] = run_workflow(Asking)
        ids["waiting_run"] = StepRun.objects.get(job_id=ids["waiting"], state="INPUT_REQUIRED").pk
    if "paused" in wanted:
        ids["paused"] = run_workflow(Asking)
        pause_job(ids["paused"])
    if "failed" in wanted:
        ids["failed"] = run_workflow(Failing)
        failed_run = StepRun.objects.get(job_id=ids["failed"], state="FAILED")
        ids |= {"failed_run": failed_run.pk, "fingerprint": failed_run.fingerprint}
        ids["event"] = JobEvent.objects.filter(job_id=ids["failed"]).earliest("pk").pk
    if "bulk" in wanted:
        ids["bulk_run"] = start_bulk("cancel", Job.objects.filter(pk=ids["finished"])).pk
    return ids


def show_jobs(*ids: str) -> Any:
    """Give the state of each job and what ran, and have the commands show them too."""
    from django.core.management import call_command

    from django_wfe.models import Job

    call_command("wfe_job", "list", "--user", NAME)
    told = []
    for job in Job.objects.filter(pk__in=ids):
        call_command("wfe_job", "show", job.pk, "--user", NAME)
        starter = getattr(job.created_by, "pk", None)
        told.append({"state": job.state, "error": job.error, "created_by": str(starter), "data": job.storage["data"]})
    return told


def evaluate(code: str) -> Any:
    """Run code of a test, and give what it has put into ``answer``."""
    names: dict[str, Any] = {}
    exec(code, names)
    return names["answer"]


def serve() -> None:
    """Serve the project's pages and static files on a free port, which is told in the first line."""
    import waitress
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    application = WSGIHandler()

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        # Not Django's handler of static files: it knows no prefix.
        path = environ["PATH_INFO"]
        if not path.startswith("/static/"):
            return application(environ, start_response)
        from django.contrib.staticfiles.finders import find

        found = find(path.removeprefix("/static/"))
        start_response("200 OK" if found else "404 Not Found", [])
        return [Path(found).read_bytes() if found else b""]

    prefix = settings.FORCE_SCRIPT_NAME or ""
    server = waitress.create_server(answer, host="127.0.0.1", port=0, threads=4, url_prefix=prefix)
    print(json.dumps(f"http://127.0.0.1:{server.effective_port}"), flush=True)
    server.run()


TASKS: dict[str, Callable[..., Any]] = {
    "people": make_people,
    "world": build_world_unsent,
    "jobs": show_jobs,
    "evaluate": evaluate,
    "serve": serve,
}


def main(task: str, *arguments: str) -> None:
    """Do a task and print its answer."""
    sys.path.insert(0, os.getcwd())
    django.setup()
    answer = TASKS[task](*arguments)
    if answer is not None:
        print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
