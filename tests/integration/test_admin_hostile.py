"""What people do to the console that no page of it offers: posts made by hand, junk in addresses, too much of it."""

from urllib.parse import urlencode

import pytest

from django_wfe.admin.frame.live import POLLER
from tests.support.doors.console import (
    ADDRESSES,
    Address,
    World,
    build_world,
    describe_database,
    list_messages,
    read_page,
    sign_in,
    sign_in_superuser,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

VIEWING = {right for address in ADDRESSES for right in address.permissions if right.startswith("view_")}
POSTS = [address for address in ADDRESSES if address.posts]
LISTS = [address for address in ADDRESSES if address.gets and not address.arguments]
JUNK = [
    "",
    "x",
    "-1",
    "9" * 20,
    "٣",
    "1.5",
    "open,FAILED",
    "\0",
    "\ud800",
    "%",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "9" * 5_000,
    "\x1b[31m",
    "\u202e",
    "-1.2.0.99",
    "1.-3",
]
FILTERS = [
    "state",
    "workflow",
    "current_step",
    "incident",
    "fingerprint",
    "age",
    "mine",
    "whose",
    "kind__exact",
    "before",
    "after",
    "from",
    "to",
]
OF_DJANGO = ["q", "p", "o", "e", "all", "_popup", "_to_field", "_changelist_filters"]
OF_PAGES = ["before", "after", "run", "items", "left", "right", "newest", "node", "idle", "definition"]
COLUMNS = [
    "error",
    "error__contains",
    "traceback__contains",
    "result__contains",
    "data__contains",
    "created_by__password",
]


@pytest.fixture
def world() -> World:
    return build_world()


def fill(world: World, address: Address, **changes: str) -> dict[str, str]:
    job = address.arguments[0] if address.name == "django_wfe_job_verb" else ""
    return {**world.fill(address.data, job), **changes}


@pytest.mark.parametrize("address", POSTS, ids=str)
def test_who_may_only_look_changes_nothing_by_a_post_made_by_hand(address: Address, world: World) -> None:
    before, client = describe_database(), sign_in(*VIEWING)
    answer = client.post(address.build(world), fill(world, address))
    assert answer.status_code == 403
    assert describe_database() == before


@pytest.mark.parametrize("address", [post for post in POSTS if "reason" in post.data], ids=str)
def test_a_reason_of_ten_thousand_characters_changes_nothing_and_is_told(address: Address, world: World) -> None:
    before, client = describe_database(), sign_in_superuser()
    answer = client.post(address.build(world), fill(world, address, reason="no " * 3334), follow=True)
    read_page(answer)
    told = " ".join([*list_messages(answer), answer.content.decode()])
    assert "at most 1000 characters" in told or "too long" in told
    assert describe_database() == before


@pytest.mark.parametrize("address", [post for post in POSTS if post.gets], ids=str)
def test_no_input_cuts_what_is_pasted(address: Address, world: World) -> None:
    # A browser takes the first characters and drops the rest, without a word.
    assert b"maxlength" not in sign_in_superuser().get(address.build(world)).content


@pytest.mark.parametrize("address", [page for page in LISTS if page.name.endswith(("_changelist", "_export"))], ids=str)
def test_a_list_cannot_be_asked_for_what_is_in_a_column(address: Address, world: World) -> None:
    # By "?error__startswith=a", and so on, people could spell out what they may not see.
    client = sign_in(*VIEWING - {"view_job_data"})
    assert client.get(address.build(world)).status_code == 200
    for column in COLUMNS:
        assert client.get(f"{address.build(world)}?{column}=a").status_code == 400, column


@pytest.mark.survey
@pytest.mark.parametrize("address", LISTS, ids=str)
def test_junk_in_the_address_of_a_list_is_no_fault_of_the_server(address: Address, world: World) -> None:
    before, client = describe_database(), sign_in_superuser()
    for name in [*FILTERS, *OF_DJANGO]:
        for junk in JUNK:
            query = urlencode({name: junk}, errors="surrogatepass")
            answer = client.get(f"{address.build(world)}?{query}", follow=True)
            assert answer.status_code in (200, 400, 404), (query, answer.status_code)
            assert b"<script>alert" not in answer.content, query
    assert describe_database() == before


@pytest.mark.survey
@pytest.mark.parametrize(
    "address", [page for page in ADDRESSES if page.gets and page.arguments and page.is_page], ids=str
)
def test_junk_in_the_address_of_a_page_is_no_fault_of_the_server(address: Address, world: World) -> None:
    client = sign_in_superuser()
    for junk in JUNK:
        query = urlencode(dict.fromkeys([*FILTERS, *OF_DJANGO, *OF_PAGES], junk), errors="surrogatepass")
        answer = client.get(f"{address.build(world)}?{query}", follow=True)
        assert answer.status_code in (200, 400, 404), (query, answer.status_code)
        assert b"<script>alert" not in answer.content, query


@pytest.mark.parametrize("junk", ["9" * 5_000, "9" * 20, "٣"])
def test_junk_in_what_a_live_page_asks_is_no_fault_of_the_server(junk: str, world: World) -> None:
    client, live = sign_in_superuser(), {"HX-Request": "true", "HX-Trigger": POLLER}
    page = Address("django_wfe_job_change", ("waiting",)).build(world)
    tail = Address("django_wfe_job_log", ("failed", "failed_run")).build(world)
    assert client.get(page, {"newest": junk}, headers=live).status_code == 200
    assert client.get(tail, {"after": junk}, headers=live).status_code == 286


@pytest.mark.survey
@pytest.mark.parametrize("address", POSTS, ids=str)
def test_junk_in_each_field_of_a_post_is_no_fault_of_the_server(address: Address, world: World) -> None:
    client = sign_in_superuser()
    for name in {**address.data, "expected_state": "", "expected_run": ""}:
        for junk in JUNK:
            answer = client.post(
                address.build(world), fill(world, address, **{name: junk.replace("\ud800", "\\ud800")}), follow=True
            )
            assert answer.status_code in (200, 400, 403, 404, 405), (name, junk, answer.status_code)
