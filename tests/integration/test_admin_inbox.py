"""The inbox and the page of a question: assignments, drafts, what comes next."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_wfe.admin.inbox import page as inbox
from django_wfe.engine.lifecycle import assign_input, get_assignment, load_draft, save_draft
from django_wfe.models import Assignment, JobEvent, StepRun, Workflow
from django_wfe.testing.clock import advance_time
from tests.declared.inbox_workflows import Guarded, Numbering, Ordering
from tests.support.doors.console import describe_database, list_messages, read_page, record, sign_in
from tests.support.running import questions
from tests.support.running.engine_helpers import create_user
from tests.workflows import Asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

INBOX = "/admin/django_wfe/job/inbox/"
RIGHTS = ("view_job", "provide_input_job")
HOSTILE = "<script>alert('wfe')</script>"
PAYLOADS = ('"result"', '"external_data"', '"edited_input"', '"traceback"', '"graph"', '"draft"')


@pytest.fixture
def ann() -> Client:
    return sign_in(*RIGHTS)


@pytest.fixture
def bob() -> User:
    return create_user("bob", *RIGHTS)


def get_user(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


def make_waiting(workflow: Any = Numbering, **options: Any) -> StepRun:
    record(workflow)
    return questions.make_waiting(workflow, **options)


def build_input_url(run: StepRun) -> str:
    return reverse("admin:django_wfe_job_input", args=[run.job_id])


def list_shown(client: Client, query: str = "") -> list[int]:
    page = read_page(client.get(INBOX + query))
    return [int(row.facts["step-run"]) for row in page.rows if "step-run" in row.facts]


def post_action(client: Client, run: StepRun, action: str, **more: Any) -> Any:
    return client.post(INBOX, {"step_run": run.pk, "action": action, **more}, follow=True)


def test_the_inbox_tells_what_waits_since_when_until_when_and_whose_it_is(ann: Client, bob: User) -> None:
    late, free, taken = make_waiting(Ordering, key="order 7"), make_waiting(), make_waiting(Asking)
    advance_time(5 * 3600, job=late.job)
    assign_input(taken.pk, bob)
    assign_input(late.pk, get_user(ann))
    save_draft(late.pk, {}, get_user(ann))
    page = read_page(ann.get(INBOX))
    rows = {int(row.facts["step-run"]): " | ".join(row.cells) for row in page.rows if "step-run" in row.facts}
    assert list(rows) == [late.pk, free.pk, taken.pk]
    assert "Take the order" in rows[late.pk]
    assert "order 7" in rows[late.pk]
    assert "overdue" in rows[late.pk]
    assert "you" in rows[late.pk]
    assert "draft" in rows[late.pk]
    assert "Release" in rows[late.pk]
    assert "overdue" not in rows[free.pk]
    assert "nobody" in rows[free.pk]
    assert "Assign to me" in rows[free.pk]
    assert "bob" in rows[taken.pk]
    assert "Take over" in rows[taken.pk]
    assert f"{INBOX}?open={free.pk}" in {link.address for link in page.links}


def test_the_inbox_is_filtered_by_whose_it_is_and_by_workflow(bob: User) -> None:
    client = sign_in(*RIGHTS, "view_workflow")
    mine, free, taken = make_waiting(), make_waiting(Asking), make_waiting()
    assign_input(mine.pk, get_user(client))
    assign_input(taken.pk, bob)
    asking = Workflow.objects.get(name="Asking").pk
    assert list_shown(client) == [mine.pk, free.pk, taken.pk]
    assert list_shown(client, "?assigned=mine") == [mine.pk]
    assert list_shown(client, "?assigned=unassigned") == [free.pk]
    assert list_shown(client, f"?workflow={asking}") == [free.pk]
    assert list_shown(client, f"?assigned=mine&workflow={asking}") == []
    for junk in ("?assigned=x", "?workflow=x&after=-1", "?after=99999999999999999999", "?workflow=%00"):
        assert list_shown(client, junk) == [mine.pk, free.pk, taken.pk]
    tabs = read_page(client.get(f"{INBOX}?workflow={asking}")).text
    for text in ("All 1", "Mine 0", "Unassigned 1"):
        assert text in tabs


def test_long_inboxes_come_a_page_at_a_time(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "PAGE_SIZE", 2)
    monkeypatch.setattr(inbox, "COUNTED", 3)
    moment, runs = timezone.now(), [make_waiting() for _ in range(5)]
    StepRun.objects.filter(pk__in=[run.pk for run in runs]).update(created_at=moment)  # equal times: the id decides
    pks = [run.pk for run in runs]
    assert list_shown(ann) == pks[:2]
    page = read_page(ann.get(INBOX))
    assert "All 3+" in page.text
    following = "?" + page.find_link("Later ones").partition("?")[2]
    assert list_shown(ann, following) == pks[2:4]
    page = read_page(ann.get(INBOX + following))
    last = "?" + page.find_link("Later ones").partition("?")[2]
    assert list_shown(ann, last) == pks[4:]
    page = read_page(ann.get(INBOX + last))
    assert page.find_link("The most urgent") == INBOX
    assert not any("Later ones" in link.text for link in page.links)


def test_the_page_costs_as_much_for_one_row_as_for_many_and_loads_no_payload(ann: Client, bob: User) -> None:
    def ask() -> list[str]:
        ann.get(INBOX)
        with CaptureQueriesContext(connection) as captured:
            assert ann.get(INBOX).status_code == 200
        return [query["sql"] for query in captured]

    assign_input(make_waiting(Ordering).pk, bob)
    few = ask()
    for number in range(99):
        run = make_waiting([Ordering, Numbering, Asking][number % 3])
        if number % 2:
            assign_input(run.pk, bob)
    many = ask()
    assert len(many) == len(few)
    for sql in many:
        assert not any(column in sql.partition(" FROM ")[0] for column in PAYLOADS), sql


def test_a_question_is_claimed_released_and_taken_over_from_the_inbox(ann: Client, bob: User) -> None:
    run = make_waiting()
    post_action(ann, run, "assign", assigned="mine")
    assert get_assignment(run.pk).user == get_user(ann)
    answered = post_action(ann, run, "release", assigned="unassigned", workflow="", after="")
    assert answered.redirect_chain[-1][0] == f"{INBOX}?assigned=unassigned"
    assign_input(run.pk, bob)
    refused = post_action(ann, run, "assign")
    assert "assigned to bob" in list_messages(refused)[-1]
    post_action(ann, run, "take_over", holder=bob.pk)
    assert get_assignment(run.pk).user == get_user(ann)
    assert list(JobEvent.objects.filter(job=run.job).order_by("pk").values_list("kind", "source"))[1:] == [
        ("claimed", "admin"),
        ("released", "admin"),
        ("claimed", "python"),
        ("taken_over", "admin"),
    ]
    assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == [
        "“Give a number” is assigned to you.",
        "Released “Give a number”.",
        "Took over “Give a number”.",
    ]


def test_a_take_over_from_somebody_who_has_it_no_more_changes_nothing(ann: Client, bob: User) -> None:
    run, eve = make_waiting(), create_user("eve", *RIGHTS)
    assign_input(run.pk, eve)
    answer = post_action(ann, run, "take_over", holder=bob.pk)
    assert "assigned to eve" in list_messages(answer)[-1]
    assert get_assignment(run.pk).user == eve


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"step_run": "x", "action": "assign"},
        {"step_run": "999999", "action": "assign"},
        {"step_run": str(10**30), "action": "assign"},
        {"step_run": "1", "action": "steal"},
        {"step_run": "1", "action": "assign", "holder": "x"},
    ],
)
def test_junk_posted_to_the_inbox_changes_nothing(data: dict[str, str], ann: Client) -> None:
    make_waiting()
    before = describe_database()
    assert list_messages(ann.post(INBOX, data, follow=True))[-1].startswith("Nothing was changed")
    assert describe_database() == before
    assert ann.put(INBOX).status_code == 405


def test_who_is_in_none_of_the_workflows_groups_sees_and_claims_nothing(ann: Client) -> None:
    run = make_waiting(Guarded)
    assert list_shown(ann) == []
    # As of one that there is not.
    assert list_messages(post_action(ann, run, "assign")) == ["Nothing was changed: it no longer exists."]
    assert not Assignment.objects.exists()
    get_user(ann).groups.add(Group.objects.create(name="auditors"))
    assert list_shown(ann) == [run.pk]
    post_action(ann, run, "assign")
    assert get_assignment(run.pk).user == get_user(ann)


def test_the_console_and_the_index_lead_to_the_inbox(ann: Client) -> None:
    make_waiting()
    for address in ("/admin/", reverse("admin:django_wfe_console")):
        assert read_page(ann.get(address)).find_link("1 job waits for you.") == INBOX
    viewer = sign_in("view_job")
    assert "state=INPUT_REQUIRED" in read_page(viewer.get("/admin/")).find_link("1 job waits for input.")
    assert viewer.get(INBOX).status_code == 403


def test_a_draft_of_a_nested_form_comes_back_as_it_was_typed(ann: Client) -> None:
    run = make_waiting(Ordering)
    typed = {
        "input-customer": "Ada & <b>",
        "input-weight": "much",
        "input-address-city": "Uster",
        "input-lines": ["0", "4"],
        "input-lines-0-article": "pen",
        "input-lines-4-article": "ink",
        "input-lines-4-price": "1.5",
        "input-secret_code": "kept to itself",
        "input-unknown": "x",
        "step_run": str(run.pk),
        "_draft": "Save draft",
    }
    file = SimpleUploadedFile("letter.txt", b"dear")
    answered = ann.post(build_input_url(run), {**typed, "input-letter": file}, follow=True)
    assert "Your draft for “Take the order”" in list_messages(answered)[-1]
    page = read_page(answered)
    form = page.find_form("input-customer")
    assert form.get("input-customer").values == ["Ada & <b>"]
    assert form.get("input-weight").values == ["much"]
    assert form.get("input-address-city").values == ["Uster"]
    assert [field.values for field in form.fields if field.name == "input-lines"] == [["0"], ["4"]]
    assert form.get("input-lines-4-article").values == ["ink"]
    assert form.get("input-lines-4-price").values == ["1.5"]
    assert form.get("input-secret_code").values in ([], [""])
    assert "Assigned to you." in page.text
    assert "Your draft from" in page.text
    assert "correct the error" not in page.text
    draft = load_draft(run.pk, get_user(ann))
    assert draft is not None
    assert "kept to itself" not in str(draft.data)
    assert not any("unknown" in name or "letter" in name for name in draft.data)


def test_a_draft_of_an_older_form_gives_what_is_still_asked(ann: Client) -> None:
    run = make_waiting()
    for data in ({"some_data": ["5"], "gone": ["1"]}, {"some_data": "no list"}, ["no mapping"], None):
        save_draft(run.pk, data, get_user(ann))
        page = read_page(ann.get(build_input_url(run)))
        expected = ["5"] if data and "gone" in data else [""]
        assert page.find_form("input-some_data").get("input-some_data").values == expected


def test_what_cannot_be_kept_is_no_draft_and_stays_in_the_form(ann: Client) -> None:
    run = make_waiting()
    data = {"input-some_data": "1\0", "step_run": str(run.pk), "_draft": "1"}
    answer = ann.post(build_input_url(run), data)
    assert "NUL" in list_messages(answer)[-1]
    assert not Assignment.objects.exists()


def test_anothers_draft_is_shown_to_those_only_who_may_see_data(ann: Client, bob: User) -> None:
    run = make_waiting()
    save_draft(run.pk, {"some_data": ["4711"]}, bob)
    assert "4711" not in ann.get(build_input_url(run)).content.decode()
    page = read_page(sign_in(*RIGHTS, "view_job_data").get(build_input_url(run)))
    assert page.find_form("input-some_data").get("input-some_data").values == ["4711"]
    assert "The draft of bob from" in page.text


def test_what_another_has_claimed_is_not_submitted_before_it_is_taken_over(ann: Client, bob: User) -> None:
    run = make_waiting()
    assign_input(run.pk, bob)
    address, data = build_input_url(run), {"input-some_data": "12", "step_run": str(run.pk), "holder": str(bob.pk)}
    assert "Assigned to bob, " in read_page(ann.get(address)).text
    for button in ({"_submit": "1"}, {"_draft": "1"}, {}):
        page = read_page(ann.post(address, {**data, **button}))
        assert page.find_form("input-some_data").get("input-some_data").values == ["12"]
        assert get_assignment(run.pk).user == bob
    assert StepRun.objects.get(pk=run.pk).state == "INPUT_REQUIRED"
    page = read_page(ann.post(address, {**data, "_take_over": "1"}))
    assert page.find_form("input-some_data").get("input-some_data").values == ["12"]
    assert "Assigned to you." in page.text
    assert ann.post(address, {**data, "_submit": "1"}).status_code == 302
    assert not Assignment.objects.exists()


def test_claim_and_release_on_the_page_keep_what_was_typed(ann: Client) -> None:
    run = make_waiting()
    address, data = build_input_url(run), {"input-some_data": "no number", "step_run": str(run.pk)}
    for button, sentence in (("_assign", "Assigned to you."), ("_release", "Not assigned.")):
        page = read_page(ann.post(address, {**data, button: "1"}))
        assert sentence in page.text
        assert page.find_form("input-some_data").get("input-some_data").values == ["no number"]
        assert "valid integer" not in page.text


def test_submit_and_next_goes_to_ones_own_claims_first_and_never_to_anothers(ann: Client, bob: User) -> None:
    taken, first, free, own = (make_waiting() for _ in range(4))
    assign_input(taken.pk, bob)
    assign_input(own.pk, get_user(ann))

    def submit(run: StepRun) -> Any:
        return ann.post(build_input_url(run), {"input-some_data": "1", "step_run": str(run.pk), "_next": "1"})

    assert submit(first)["Location"] == build_input_url(own)
    assert submit(own)["Location"] == build_input_url(free)
    assert submit(free)["Location"] == reverse("admin:django_wfe_job_change", args=[free.job_id])


def test_hostile_names_and_drafts_are_text(ann: Client) -> None:
    run = make_waiting(key=HOSTILE)
    eve = create_user(HOSTILE, *RIGHTS)
    Workflow.objects.update(label=HOSTILE)
    save_draft(run.pk, {"some_data": [HOSTILE], HOSTILE: [HOSTILE]}, eve)
    client = sign_in(*RIGHTS, "view_job_data", "view_workflow")
    for address in (INBOX, build_input_url(run), reverse("admin:django_wfe_job_change", args=[run.job_id])):
        response = client.get(address)
        read_page(response)
        html = response.content.decode()
        assert HOSTILE not in html, address
        assert "&lt;script&gt;alert" in html, address
    assert HOSTILE not in post_action(client, run, "assign").content.decode()


def list_sections(client: Client, query: str = "") -> list[tuple[str, list[int]]]:
    sections = client.get(INBOX + query).context["sections"]
    return [(section.code, [item.step_run.pk for item in section.items]) for section in sections]


def test_what_waits_stands_under_overdue_today_and_later_by_the_day_of_the_viewer(
    ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = datetime(2031, 5, 6, 12, tzinfo=UTC)
    monkeypatch.setattr(inbox, "get_now", lambda: noon)
    runs = [make_waiting(Ordering) for _ in range(5)]
    undated = make_waiting()
    due = {"late": (5, 23), "overdue": (6, 11), "soon": (6, 13), "evening": (6, 23), "tomorrow": (7, 13)}
    for run, (day, hour) in zip(runs, due.values(), strict=True):
        StepRun.objects.filter(pk=run.pk).update(expires_at=datetime(2031, 5, day, hour, tzinfo=UTC))
    late, overdue, soon, evening, tomorrow = (run.pk for run in runs)
    with timezone.override("UTC"):
        assert list_sections(ann) == [
            ("overdue", [late, overdue]),
            ("today", [soon, evening]),
            ("later", [tomorrow, undated.pk]),
        ]
    with timezone.override("Asia/Tokyo"):  # there 23:00 UTC is of the next day
        assert list_sections(ann)[1:] == [("today", [soon]), ("later", [evening, tomorrow, undated.pk])]


def test_the_inbox_is_filtered_by_step_and_person(bob: User) -> None:
    client = sign_in(*RIGHTS, "view_workflow")
    mine, orders, his = make_waiting(), make_waiting(Ordering), make_waiting()
    assign_input(mine.pk, get_user(client))
    assign_input(his.pk, bob)
    numbering = his.job.workflow_id
    assert list_shown(client, f"?person={bob.pk}") == [his.pk]
    assert list_shown(client, f"?workflow={numbering}&step={his.step}") == [mine.pk, his.pk]
    assert list_shown(client, f"?step={orders.step}") == [orders.pk]
    # Not a step of this workflow: it is left out, as of a workflow that was chosen anew.
    assert list_shown(client, f"?workflow={numbering}&step={orders.step}") == [mine.pk, his.pk]
    for junk in ("?person=x", "?person=-1", "?person=9" + "9" * 30, "?step=%00", "?open=x", "?open=" + "9" * 30):
        assert len(list_shown(client, junk)) == 3, junk
    form = read_page(client.get(f"{INBOX}?workflow={numbering}&assigned=mine")).find_form("person")
    assert {field.name for field in form.fields} == {"workflow", "step", "person", "assigned"}


def test_a_question_is_answered_beside_the_list_and_the_next_one_stays_in_the_filter(ann: Client, bob: User) -> None:
    first, order, second, held = make_waiting(), make_waiting(Ordering), make_waiting(), make_waiting()
    assign_input(held.pk, bob)
    query = f"?workflow={first.job.workflow_id}&open={first.pk}"
    page = read_page(ann.get(INBOX + query))
    assert page.find_form("input-some_data").get("step_run").values == [str(first.pk)]
    assert [link.address.rpartition("open=")[2] for link in page.links if "open=" in link.address] == [
        str(first.pk),
        str(second.pk),
        str(held.pk),
    ]

    def submit(run: StepRun, address: str, **more: str) -> Any:
        return ann.post(address, {"input-some_data": "1", "step_run": str(run.pk), **more})

    refused = ann.post(INBOX + query, {"input-some_data": "x", "step_run": str(first.pk), "_next": "1"})
    assert "valid integer" in read_page(refused).text
    following = submit(first, INBOX + query, _next="1")["Location"]
    assert following == f"{INBOX}?workflow={first.job.workflow_id}&open={second.pk}"
    last = submit(second, following, _next="1")["Location"]
    assert last == f"{INBOX}?workflow={first.job.workflow_id}"  # neither the order nor what bob has
    assert StepRun.objects.get(pk=order.pk).state == StepRun.objects.get(pk=held.pk).state == "INPUT_REQUIRED"
    gone = ann.get(f"{INBOX}?open={first.pk}", follow=True)
    assert gone.redirect_chain[-1][0] == INBOX
    assert list_messages(gone)[-1] == "This no longer waits for input."


def test_the_same_answer_fills_the_next_form_of_the_same_step_only(ann: Client) -> None:
    runs, order = [make_waiting() for _ in range(3)], make_waiting(Asking)
    address = f"{INBOX}?assigned=unassigned&open={runs[0].pk}"
    data = {"input-some_data": "12", "step_run": str(runs[0].pk), "_next": "1", "_repeat": "1"}
    following = ann.post(address, data)["Location"]
    form = read_page(ann.get(following)).find_form("input-some_data")
    assert form.get("input-some_data").values == ["12"]
    assert read_page(ann.get(f"{INBOX}?open={order.pk}")).find_form("input-some_data").get(
        "input-some_data"
    ).values == [""]
    ann.post(following, {"input-some_data": "13", "step_run": str(runs[1].pk), "_next": "1"})  # the box is not ticked
    form = read_page(ann.get(f"{INBOX}?open={runs[2].pk}")).find_form("input-some_data")
    assert form.get("input-some_data").values == [""]


def test_a_question_is_assigned_to_somebody_else_from_the_page(ann: Client, bob: User) -> None:
    run = make_waiting()
    address = f"{INBOX}?open={run.pk}"
    data = {"step_run": str(run.pk), "_assign_to": "1"}
    assert "no user “nobody”" in list_messages(ann.post(address, {**data, "person": "nobody"}, follow=True))[-1]
    assert get_assignment(run.pk) is None
    done = ann.post(address, {**data, "person": "bob"}, follow=True)
    assert done.redirect_chain[-1][0] == INBOX
    assert list_messages(done) == ["“Give a number” is assigned to bob."]
    assert get_assignment(run.pk).user == bob
    stale = ann.post(build_input_url(run), {**data, "person": "bob", "holder": "999"}, follow=True)
    assert get_assignment(run.pk).user == bob
    assert stale.status_code == 200
    history = read_page(ann.get(reverse("admin:django_wfe_job_change", args=[run.job_id]))).text
    assert "assigned to somebody else: bob" in " ".join(history.split())


def test_the_work_of_a_colleague_is_handed_over(ann: Client, bob: User) -> None:
    page, runs = "/admin/django_wfe/job/inbox/hand-over/", [make_waiting() for _ in range(3)]
    assert "Nobody holds anything" in read_page(ann.get(page)).text
    for run in runs:
        assign_input(run.pk, bob)
    assert "bob: 3 questions" in read_page(ann.get(page)).text
    before = describe_database()
    for data, complaint in (
        ({}, "required"),
        ({"holder": str(bob.pk), "person": "nobody"}, "There is no user “nobody”."),
        ({"holder": str(bob.pk), "person": "bob"}, "They have it already"),
        ({"holder": "x", "person": "bob"}, "Select a valid choice"),
        ({"holder": str(bob.pk), "person": "\0"}, "Null characters are not allowed."),
    ):
        assert complaint in read_page(ann.post(page, data or {"person": ""})).text
        assert describe_database() == before
    name = get_user(ann).get_username()
    done = ann.post(page, {"holder": str(bob.pk), "person": name, "reason": "Ill."}, follow=True)
    assert list_messages(done) == [f"3 questions of bob are assigned to {name} now."]
    assert {get_assignment(run.pk).user for run in runs} == {get_user(ann)}
    assert sign_in("view_job").get(page).status_code == 403
