"""Who leads: a lease that one holds at a time, whatever happens to the processes, the clock and the row."""

import random
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F
from django.db.models.functions import Now

from django_wfe.models import Lease
from django_wfe.watchdog.leadership import Leadership, find_leader
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)


@pytest.fixture
def first() -> Leadership:
    return Leadership()


@pytest.fixture
def second() -> Leadership:
    return Leadership()


def let_expire() -> None:
    Lease.objects.update(expires_at=Now())


def ask(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def shift_clock(by: timedelta) -> None:
    """Leave the lease as it would look if the database's clock had been set forward by so much, or back."""
    Lease.objects.update(renewed_at=F("renewed_at") - by, expires_at=F("expires_at") - by, taken_at=F("taken_at") - by)


def test_of_two_one_leads_and_the_other_follows_at_once_when_it_lets_go(first, second):
    term = first.hold()
    assert term
    assert (second.hold(), first.hold()) == (0, term)
    first.release()
    following = second.hold()
    assert following not in (0, term)
    assert first.hold() == 0


def test_a_silent_leader_is_followed_when_its_lease_is_over_and_learns_of_it(first, second):
    term = first.hold()
    let_expire()
    assert second.hold()
    assert first.hold() == 0, "it has slept meanwhile, and must not go on"
    second.release()
    assert first.hold() not in (0, term)


def test_a_lease_that_is_over_and_that_nobody_took_is_still_its_holders(first):
    term = first.hold()
    let_expire()
    assert find_leader() is None
    assert first.hold() == term
    assert find_leader().term == term


def test_the_lease_is_three_sweeps_long_and_not_less_than_five_seconds(first, settings):
    assert first.seconds == 15
    settings.WFE_RECOVERY_INTERVAL = 0.1
    assert first.seconds == 5
    settings.WFE_RECOVERY_INTERVAL = 40
    first.hold()
    lease = Lease.objects.get()
    assert lease.expires_at - lease.renewed_at == pytest.approx(timedelta(seconds=120), abs=timedelta(seconds=1))


def test_a_lease_row_that_was_deleted_by_hand_starts_a_term_that_was_not_there_before(first, second):
    term = first.hold()
    Lease.objects.all().delete()
    following = second.hold()
    assert following not in (0, term)
    assert first.hold() == 0
    Lease.objects.all().delete()
    assert first.hold() not in (0, term, following)


def test_a_database_clock_that_is_set_forward_only_hands_the_lead_over(first, second):
    first.hold()
    shift_clock(HOUR)
    assert second.hold()
    assert first.hold() == 0


def test_a_database_clock_that_is_set_back_does_not_keep_the_lead_with_the_dead(first, second):
    first.hold()
    shift_clock(-HOUR)
    assert find_leader() is None
    assert second.hold()
    assert first.hold() == 0


def test_a_leader_that_is_alive_keeps_the_lead_through_a_clock_that_is_set_back(first, second):
    term = first.hold()
    shift_clock(-HOUR)
    assert first.hold() == term
    assert second.hold() == 0


def test_who_gives_up_what_another_holds_by_now_takes_nothing_from_it(first, second):
    first.hold()
    let_expire()
    term = second.hold()
    first.release()
    assert second.hold() == term


def test_roles_are_led_apart(first):
    other = Leadership("other")
    assert first.hold()
    assert other.hold()
    assert find_leader("other").term != find_leader().term


def test_a_database_that_does_not_answer_is_told_and_costs_no_term(first):
    term = first.hold()
    connection.close()
    port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], "1"
    try:
        with pytest.raises(OperationalError):
            first.hold()
        first.release()  # says nothing: the lease ends by itself
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port
    assert first.hold() == term


def test_who_waits_for_the_row_compares_with_the_time_at_which_it_gets_it(second):
    first = Leadership(seconds=1)
    first.hold()
    taken: list[int] = []

    def take() -> None:
        taken.append(second.hold())
        connections.close_all()

    with transaction.atomic():
        Lease.objects.select_for_update().get()
        thread = threading.Thread(target=take)
        thread.start()
        wait_until(lambda: ask("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"))
        wait_until(lambda: ask("SELECT expires_at < clock_timestamp() FROM django_wfe_lease"))
    thread.join(timeout=20)
    assert taken[0] != 0


def test_of_many_that_ask_at_once_no_two_ever_lead_in_one_term():
    """Leases of next to no length, so that the lead changes all the time."""
    held: list[tuple[int, int]] = []
    start = threading.Barrier(6, timeout=20)

    def compete(number: int) -> None:
        chance = random.Random(number)
        leadership = Leadership(seconds=chance.choice([0.0, 0.001, 0.01]))
        start.wait()
        for _ in range(150):
            term = leadership.hold()
            if term:
                held.append((term, number))
            if chance.random() < 0.1:
                leadership.release()
            if chance.random() < 0.02:
                Lease.objects.all().delete()
        connections.close_all()

    threads = [threading.Thread(target=compete, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    terms = {term for term, _ in held}
    assert len(set(held)) == len(terms), "a term had two leaders"
    assert len(terms) > 50
    assert len({number for _, number in held}) == 6
