"""Starting jobs, giving input, and the operator's verbs over jobs that are named by their ids."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import ValidationError

from django_wfe.engine.access import renew_actor
from django_wfe.engine.errors.invalid_input import list_problems
from django_wfe.engine.lifecycle import (
    NOT_GIVEN,
    VERBS,
    Source,
    find_status,
    pause_workflow,
    provide_external_input,
    resume_workflow,
    run_job_here,
    start_job,
)
from django_wfe.exceptions import WFEException
from django_wfe.management.job_commands.arguments import read_json, read_verb_options
from django_wfe.management.job_commands.bulk import preview, start
from django_wfe.management.job_commands.choosing import (
    choose_jobs,
    find_job,
    find_startable_workflow,
    find_workflow,
)
from django_wfe.management.job_commands.output import Output, refuse, reject
from django_wfe.management.job_commands.showing import describe
from django_wfe.models import Job
from django_wfe.values.identifiers import parse_id

FILTERS = ("filter_state", "filter_workflow", "incident", "attribute", "subject")
"""The options that choose jobs by what they are, in place of ids."""


def start_one(
    output: Output,
    user: Any,
    workflow: str,
    key: str | None,
    input: str | None,  # noqa: A002  (the option's name)
    first_input: str | None,
    here: bool,  # noqa: FBT001
    **options: Any,
) -> None:
    """Start a job, with its input and that of its first step where they are given, and run it here if asked to."""
    row = find_startable_workflow(workflow, user)
    if input == first_input == "-":
        raise reject(_("--input and --first-input cannot both come from the standard input."))
    given = {
        "job_input": read_json(input, "--input") if input is not None else NOT_GIVEN,
        "first_input": read_json(first_input, "--first-input") if first_input is not None else NOT_GIVEN,
    }
    try:
        started = start_job(row, key=key, **given, actor=user, source=Source.COMMAND, run_here=here)
    except ValidationError as error:
        raise refuse(describe_error(error)) from error
    except ValueError as error:
        raise reject(str(error)) from error
    except WFEException as error:
        raise refuse(str(error)) from error
    if here:
        run_job_here(started)
    job = Job.objects.select_related("workflow").get(pk=started.job_id)
    output.give({**describe(job), "created": started.created})
    values = {"id": job.pk, "state": job.state}
    if started.created:
        output.say(_("Job %(id)s was started; it is %(state)s.") % values)
    else:
        output.say(_("Job %(id)s was started before with this key; it is %(state)s.") % values)


def give_input(output: Output, user: Any, job: int, data: str, **options: Any) -> None:
    """Provide the input of a waiting job."""
    value = read_json(data, "--data")
    if parse_id(job) is None:
        raise refuse(_("There is no job %(id)s.") % {"id": job})
    try:
        provide_external_input(job, value, actor=user, source=Source.COMMAND)
    except (WFEException, ValidationError) as error:
        raise refuse(describe_error(error)) from error
    _say_where(output, job)


def apply_verb(output: Output, user: Any, verb: str, jobs: list[int], **options: Any) -> None:
    """Apply a verb to the jobs of these ids one after another, or to those that a filter matches in a bulk run."""
    names = (*FILTERS, "limit", "stop_on", "stop_on_failure", "wait")
    filters = {name for name in names if options[name]}
    if bool(jobs) == bool(filters.intersection(FILTERS)):
        given = ", ".join(f"--{name.replace('_', '-')}" for name in FILTERS)
        raise reject(_("Name the ids of jobs, or a filter: %(options)s.") % {"options": given})
    arguments = read_verb_options(verb, options)
    if jobs:
        if filters:
            given = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(filters))
            raise reject(_("%(options)s: only with a filter in place of ids.") % {"options": given})
        _apply_to_ids(output, user, verb, jobs, arguments, reason=options["reason"], dry_run=options["dry_run"])
        return
    chosen = choose_jobs(
        user,
        states=options["filter_state"],
        workflows=options["filter_workflow"],
        incident=options["incident"],
        attributes=options["attribute"],
        subject=options["subject"],
        limit=options["limit"],
    )
    if options["dry_run"]:
        preview(output, user, verb, chosen, expected_state=options["expected_state"])
        return
    start(
        output,
        user,
        verb,
        chosen,
        arguments=arguments,
        reason=options["reason"],
        stop_on=options["stop_on"],
        stop_on_failure=options["stop_on_failure"],
        wait=options["wait"],
    )


def hold_workflow(output: Output, user: Any, workflow: str, reason: str, **options: Any) -> None:
    """Pause a workflow."""
    row = find_workflow(workflow, user)
    try:
        pause_workflow(row.pk, actor=user, source=Source.COMMAND, reason=reason)
    except WFEException as error:
        raise refuse(str(error)) from error
    output.give({"workflow": row.path, "paused": True})
    output.say(_("%(workflow)s is paused.") % {"workflow": row.path})


def release_workflow(output: Output, user: Any, workflow: str, **options: Any) -> None:
    """Resume a workflow."""
    row = find_workflow(workflow, user)
    try:
        resume_workflow(row.pk, actor=user, source=Source.COMMAND)
    except WFEException as error:
        raise refuse(str(error)) from error
    output.give({"workflow": row.path, "paused": False})
    output.say(_("%(workflow)s has been resumed.") % {"workflow": row.path})


def describe_error(error: WFEException | ValidationError) -> str:
    """Return what the engine says; of pydantic's errors one line a field, without the value that was given."""
    if not isinstance(error, ValidationError):
        return str(error)
    lines = [_("The input is not valid.")]
    lines += [f"  {problem.place or '-'}: {problem.message}" for problem in list_problems(error)]
    return "\n".join(lines)


def _apply_to_ids(
    output: Output, user: Any, verb: str, ids: list[int], arguments: dict[str, Any], *, reason: str, dry_run: bool
) -> None:
    results = []
    for job_id in dict.fromkeys(ids):
        refusal = effect = ""
        try:
            if parse_id(job_id) is None:
                refusal = _("There is no job %(id)s.") % {"id": job_id}
            elif dry_run:
                refusal, effect = _foresee(verb, find_job(job_id, user), user, arguments.get("expected_state"))
            else:
                VERBS[verb].apply(job_id, actor=renew_actor(user), source=Source.COMMAND, reason=reason, **arguments)
        except (WFEException, ValidationError) as error:
            refusal = describe_error(error)
        results.append({"job": job_id, "done": not refusal and not dry_run, "refused": refusal, "effect": effect})
        if refusal:
            output.say(_("Job %(id)s is left alone: %(reason)s") % {"id": job_id, "reason": refusal})
        elif dry_run:
            output.say(_("Job %(id)s: %(effect)s") % {"id": job_id, "effect": effect})
        else:
            state = Job.objects.values_list("state", flat=True).get(pk=job_id)
            results[-1]["state"] = state
            output.say(_("Job %(id)s: done, it is %(state)s now.") % {"id": job_id, "state": state})
    output.give(results)
    refused = sum(1 for result in results if result["refused"])
    if refused:
        raise refuse(
            ngettext("%(number)d job is left alone.", "%(number)d jobs are left alone.", refused) % {"number": refused}
        )


def _foresee(verb: str, job: Job, user: Any, expected_state: str | None) -> tuple[str, str]:
    status = find_status(job, user, verb)
    if status.allowed and expected_state is not None and job.state != expected_state:
        values = {"state": job.state, "expected": expected_state}
        return _("It is %(state)s, and %(expected)s was expected.") % values, ""
    return status.reason, status.effect


def _say_where(output: Output, job_id: int) -> None:
    job = Job.objects.select_related("workflow").get(pk=job_id)
    output.give(describe(job))
    output.say(_("Job %(id)s is %(state)s now.") % {"id": job.pk, "state": job.state})
