"""What an operator can do with a Job: permission, event, state, and a history to which is only ever added."""

import pytest
from django.contrib.auth.models import AnonymousUser

from django_wfe import provide_external_input, run_workflow
from django_wfe.engine.access import name_permission
from django_wfe.engine.lifecycle import VERBS, cancel_job, list_verbs, pause_job, resume_job
from django_wfe.engine.worker.heartbeat import stop_worker
from django_wfe.exceptions import FinishedWorkflow, PermissionRequired, UnknownJob, WrongState
from django_wfe.models import JobEvent, JobState
from django_wfe.models.jobs import name_job_state
from tests import workflows
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import (
    create_user,
    get_last_event,
    get_last_run,
    list_events,
    recording_dispatcher,
    run_now,
    run_ready,
    take_history,
)
from tests.support.running.job_states import (
    ALLOWED,
    CALLS,
    KINDS,
    MAKERS,
    PERMISSIONS,
    get_job,
    make_for,
    make_paused_while_waiting_for_input,
    make_pending,
    make_waiting_for_input,
    make_waiting_for_time,
    take_everything,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def dispatcher():
    declared.GIVEN.clear()
    workflows.EXECUTED.clear()
    with recording_dispatcher() as recording:
        yield recording
    stop_worker()


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """A context in which what waits for a commit is done at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def test_there_are_six_verbs():
    assert set(VERBS) == set(CALLS)
    for name, verb in VERBS.items():
        assert verb.permission == f"django_wfe.{PERMISSIONS[name]}"
        assert str(verb.label)


@pytest.mark.parametrize("state", MAKERS)
@pytest.mark.parametrize("verb", CALLS)
def test_each_verb_in_each_state_does_what_list_verbs_says(verb, state):
    job_id = MAKERS[state]()
    job = get_job(job_id)
    assert job.state == state
    [status] = [status for status in list_verbs(job, None) if status.verb.name == verb]
    assert status.allowed is (state in ALLOWED[verb])
    before, history = take_everything(job_id), take_history(job_id)
    if status.allowed:
        assert status.reason == ""
        assert status.effect.endswith(".")
        CALLS[verb](job_id)
        assert get_last_event(job_id).kind in (KINDS.get(verb, "rerun"), "finished")
        assert take_history(job_id).items() >= history.items(), "what has ended is never changed"
    else:
        assert status.effect == ""
        with pytest.raises(WrongState) as raised:
            CALLS[verb](job_id)
        assert str(raised.value) == status.reason
        assert take_everything(job_id) == before


@pytest.mark.parametrize("verb", CALLS)
def test_each_verb_needs_its_permission(verb):
    job_id = make_for(verb)
    before = take_everything(job_id)
    others = set(PERMISSIONS.values()) - {PERMISSIONS[verb]}
    for actor in (create_user("nobody", "view_job"), create_user("other", *others), AnonymousUser()):
        with pytest.raises(PermissionRequired, match=PERMISSIONS[verb]) as raised:
            CALLS[verb](job_id, actor=actor)
        assert raised.value.permission == f"django_wfe.{PERMISSIONS[verb]}"
        [status] = [status for status in list_verbs(get_job(job_id), actor) if status.verb.name == verb]
        assert not status.allowed
        assert f"“{name_permission(raised.value.permission)}”" in status.reason
    assert take_everything(job_id) == before


@pytest.mark.parametrize("verb", CALLS)
def test_an_inactive_user_may_do_nothing(verb):
    user = create_user("left", PERMISSIONS[verb])
    user.is_active = False
    user.save()
    with pytest.raises(PermissionRequired):
        CALLS[verb](make_for(verb), actor=user)


@pytest.mark.parametrize("verb", CALLS)
def test_each_verb_writes_an_event_with_actor_source_and_reason(verb):
    job_id = make_for(verb)
    operator = create_user("olga", PERMISSIONS[verb])
    [status] = [status for status in list_verbs(get_job(job_id), operator) if status.verb.name == verb]
    assert status.allowed
    CALLS[verb](job_id, actor=operator, source="admin", reason="asked for by phone")
    event = JobEvent.objects.filter(job_id=job_id, kind=KINDS.get(verb, "rerun")).latest("id")
    assert (event.actor, event.actor_name, event.source) == (operator, "olga", "admin")
    assert event.data["reason"] == "asked for by phone"
    operator.delete()
    event.refresh_from_db()
    assert (event.actor, event.actor_name) == (None, "olga")


def test_a_reason_that_the_database_cannot_keep_is_kept_as_a_reader_sees_it():
    job_id = make_pending()
    pause_job(job_id, reason="odd \0 \ud800")
    assert get_last_event(job_id).data["reason"] == "odd \\x00 \\ud800"


@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_on_a_job_that_is_no_longer_in_the_state_seen_changes_nothing(verb):
    job_id = make_for(verb)
    before = take_everything(job_id)
    state = name_job_state(before[0]["state"])
    with pytest.raises(WrongState, match=f"was “ongoing” and is “{state}” now; nothing was done"):
        CALLS[verb](job_id, expected_state="ONGOING")
    assert take_everything(job_id) == before
    CALLS[verb](job_id, expected_state=before[0]["state"])


@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_on_a_job_that_is_not_there(verb):
    with pytest.raises(UnknownJob, match="no job 999"):
        CALLS[verb](999)


def test_cancel_ends_what_waits(commit):
    job_id = make_waiting_for_input()
    cancel_job(job_id)
    job = get_job(job_id)
    assert (job.state, get_last_run(job_id).state) == (JobState.CANCELED, "CANCELED")
    assert job.finished_at is not None
    with pytest.raises(FinishedWorkflow):
        cancel_job(job_id)


def test_cancel_of_a_ready_step_run_keeps_it_from_running():
    job_id = make_pending()
    cancel_job(job_id)
    assert run_ready(job_id).state == JobState.CANCELED
    assert workflows.EXECUTED == []


def act_from_inside(monkeypatch, verb):
    """Give the Job of a step that does something with its own Job while it runs."""

    def execute(self, _input=None):
        verb(self.job.pk)
        return "done"

    monkeypatch.setattr(declared.Give, "execute", execute)
    return get_job(run_workflow(declared.Passing))


def test_cancel_while_a_step_runs_keeps_what_it_commits_and_starts_nothing_after_it(monkeypatch):
    job = act_from_inside(monkeypatch, cancel_job)
    assert job.state == JobState.CANCELED
    assert [entry["result"] for entry in job.storage["data"]] == [None, "done"]
    assert job.step_runs.count() == 2
    assert run_ready(job.pk).state == JobState.CANCELED


def test_pause_while_a_step_runs_lets_it_finish_and_holds_the_next(monkeypatch):
    job = act_from_inside(monkeypatch, pause_job)
    assert (job.state, job.current_step) == (JobState.PAUSED, "tests.declared.interface_workflows.Take")
    assert get_last_run(job.pk).state == "READY"
    resume_job(job.pk)
    assert run_ready(job.pk).state == JobState.FINISHED


@pytest.mark.parametrize("verb", ["skip", "rerun"])
def test_a_running_step_is_neither_skipped_nor_run_again(verb, monkeypatch):
    refused = []

    def try_it(job_id):
        with pytest.raises(WrongState) as raised:
            CALLS[verb](job_id)
        refused.append(str(raised.value))

    assert act_from_inside(monkeypatch, try_it).state == JobState.FINISHED
    assert refused[0].startswith("A step is running")


def test_pause_holds_a_job_and_resume_lets_it_go_on(dispatcher, commit):
    with commit():
        job_id = make_pending()
    pause_job(job_id)
    assert run_ready(job_id).state == JobState.PAUSED
    assert workflows.EXECUTED == []
    with commit():
        resume_job(job_id)
    assert get_job(job_id).state == JobState.PENDING
    assert dispatcher.sent == [get_last_run(job_id).pk] * 2
    assert run_ready(job_id).state == JobState.FINISHED
    assert list_events(job_id) == ["started", "paused", "resumed", "finished"]


def test_pause_while_input_is_asked_takes_the_input_and_goes_on_after_resume(dispatcher, commit):
    job_id = make_paused_while_waiting_for_input()
    provide_external_input(job_id, {"some_data": 1})
    assert run_ready(job_id).state == JobState.PAUSED
    with commit():
        resume_job(job_id)
    assert run_ready(job_id).state == JobState.FINISHED


def test_resume_goes_back_to_waiting_for_input():
    job_id = make_paused_while_waiting_for_input()
    resume_job(job_id)
    assert get_job(job_id).state == JobState.INPUT_REQUIRED
    provide_external_input(job_id, {"some_data": 1})


def test_resume_goes_back_to_waiting_for_the_next_attempt(dispatcher, commit):
    job_id = make_waiting_for_time()
    pause_job(job_id)
    with commit():
        resume_job(job_id)
    assert get_job(job_id).state == JobState.WAITING
    assert dispatcher.sent == [get_last_run(job_id).pk]
    assert 3500 < dispatcher.delays[0] <= 3600
    assert run_now(job_id).state == JobState.FINISHED
