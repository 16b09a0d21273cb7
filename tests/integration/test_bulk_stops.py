"""Why a bulk run stopped: kept as a code and values, told in the language of whoever reads it."""

from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils.translation import override

from django_wfe.engine.access import list_visible_bulk_runs
from django_wfe.engine.bulk.runs import start_bulk, stop_bulk, work_on_bulk
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import BulkEvent, BulkItem, BulkRun, Job, StepRun, StepRunState
from django_wfe.wording.bulk_stops import explain_stop
from tests import workflows
from tests.support.doors.console import read_page, sign_in_superuser
from tests.support.running.engine_helpers import look_again, recording_dispatcher

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def sent():
    with recording_dispatcher() as dispatcher:
        yield dispatcher


@pytest.fixture
def bulk() -> BulkRun:
    run_workflow(workflows.Linear)
    return start_bulk("cancel", Job.objects.all(), actor=User.objects.create_superuser("ann"))


def explain(bulk: BulkRun, language: str = "en") -> str:
    with override(language):
        return explain_stop(list_visible_bulk_runs(None).get(pk=bulk.pk))


def leave(bulk: BulkRun) -> None:
    bulk.actor.delete()
    work_on_bulk(bulk.pk)


def retire(bulk: BulkRun) -> None:
    User.objects.update(is_active=False)
    work_on_bulk(bulk.pk)


def stop(bulk: BulkRun) -> None:
    stop_bulk(bulk.pk, actor=bulk.actor, reason="the wrong filter")


@pytest.mark.parametrize(
    ("end", "english", "german"),
    [
        (leave, "ann is no longer a user", "ann ist kein Benutzer mehr"),
        (retire, "ann is no longer active", "ann ist nicht mehr aktiv"),
        (stop, "stopped by ann: the wrong filter", "gestoppt von ann: the wrong filter"),
    ],
)
def test_each_reader_has_the_reason_in_their_language(bulk: BulkRun, end, english: str, german: str) -> None:
    with override("de"):  # whoever ends it
        end(bulk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.stop_reason) == (BulkRun.State.STOPPED, "")
    assert (explain(bulk), explain(bulk, "de")) == (english, german)


def test_the_page_and_rest_tell_it_in_the_language_of_the_request(bulk: BulkRun) -> None:
    leave(bulk)
    client = sign_in_superuser()
    page, rest = f"/admin/django_wfe/bulkrun/{bulk.pk}/change/", f"/wfe/bulk/{bulk.pk}/"
    for language, words in (("de", "ann ist kein Benutzer mehr"), ("en", "ann is no longer a user")):
        headers = {"accept-language": language}
        assert words in read_page(client.get(page, headers=headers, follow=True)).text
        assert client.get(rest, headers=headers).json()["stop_reason"] == words


def test_a_failure_that_came_back_names_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows.Fail, "FAILURES", 5)
    for _ in range(3):
        run_workflow(workflows.Failing)
    fingerprint = StepRun.objects.filter(state=StepRunState.FAILED).values_list("fingerprint", flat=True)[0]
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=fingerprint)
    work_on_bulk(bulk.pk)
    first = bulk.items.get(state=BulkItem.State.DONE).job
    run_step_run(first.step_runs.get(state=StepRunState.READY).pk)
    look_again(bulk)
    assert bulk.events.get().data == {"job": first.pk}
    assert explain(bulk) == f"the failure came back in job {first.pk}"
    assert explain(bulk, "de") == f"der Fehlschlag kam in Job {first.pk} wieder"


@pytest.mark.parametrize(
    ("kind", "data", "actor", "sentence", "kept", "told"),
    [
        ("returned", {"job": 41}, None, "der Fehler kam bei Job 41 wieder", "", "the failure came back in job 41"),
        ("returned", {}, None, "no number at all", "no number at all", "no number at all"),
        ("actor_inactive", {}, "ann", "ann is no longer active", "", "ann is no longer active"),
        ("actor_gone", {}, None, "ann is no longer a user", "", "ann is no longer a user"),
        ("stopped", {}, "ann", "von ann angehalten: enough", "", "stopped by ann: enough"),
        ("", {}, "ann", "ann had no time for it", "ann had no time for it", "ann had no time for it"),
    ],
)
def test_sentences_of_before_become_codes_and_those_that_no_event_tells_stay(
    bulk: BulkRun, kind: str, data: dict[str, int], actor: str | None, sentence: str, kept: str, told: str
) -> None:
    BulkRun.objects.update(state="STOPPED", stop_reason=sentence)
    if actor is None:
        bulk.actor.delete()
    if kind:
        former = "actor_gone" if kind == "actor_inactive" else kind
        by = {"actor_name": "ann", "reason": "enough"} if kind == "stopped" else {}
        BulkEvent.objects.create(bulk_run=bulk, kind=former, **by)
    with connection.schema_editor() as editor:
        import_module("django_wfe.migrations.0013_bulk_stops").read_stops(None, editor)
    bulk.refresh_from_db()
    assert bulk.stop_reason == kept
    assert list(bulk.events.values_list("kind", "data")) == ([(kind, data)] if kind else [])
    assert explain(bulk) == told


def test_a_kind_of_a_later_version_is_shown_as_it_is(bulk: BulkRun) -> None:
    BulkRun.objects.update(state="STOPPED")
    BulkEvent.objects.create(bulk_run=bulk, kind="moon_phase")
    assert explain(bulk) == "moon_phase"
