"""Every text that a person sees can be translated, and the German catalogue has each of them."""

import gettext
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import import_export
import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.test import override_settings
from django.urls import reverse
from django.utils import translation

import django_wfe
from django_wfe.engine.lifecycle import cancel_job, provide_external_input, run_workflow
from django_wfe.exceptions import FinishedWorkflow
from django_wfe.models import Job
from django_wfe.steps import __start__
from django_wfe.workflows import Workflow
from tests.support.documents.catalogues import (
    Message,
    find_placeholders,
    invent_translation,
    read_messages,
    write_invented,
)
from tests.support.documents.untranslated import UntranslatedTexts, list_data
from tests.support.doors.console import ADDRESSES, Address, build_world, read_page, record, sign_in_superuser
from tests.workflows import Ask, Asking

pytestmark = [pytest.mark.survey, pytest.mark.integration]

PACKAGE = Path(django_wfe.__file__).parent
GERMAN = PACKAGE / "locale" / "de" / "LC_MESSAGES"
# Django knows this language, and no formats of it; the tests put other words in its place.
INVENTED = "ia"
FOREIGN_CATALOGUES = [
    *Path(django.__file__).parent.glob("conf/locale/en/LC_MESSAGES/django.po"),
    *Path(django.__file__).parent.glob("contrib/*/locale/en/LC_MESSAGES/django.po"),
    *Path(import_export.__file__).parent.glob("locale/de/LC_MESSAGES/django.po"),
]
PAGES = [address for address in ADDRESSES if address.is_page and address.gets]
# The fields of the input that the workflows of the tests ask for.
ASKED = ["Some data", "Day"]


class AskingAtOnce(Workflow):
    """Asks before anything else."""

    DIGRAPH = {__start__: [Ask]}


@pytest.fixture(autouse=True)
def _leave_the_language() -> Iterator[None]:
    """A request leaves its language to its thread, which here is that of all tests."""
    with translation.override(settings.LANGUAGE_CODE):
        yield


@pytest.fixture(scope="module")
def german() -> list[Message]:
    return read_messages(GERMAN / "django.po")


@pytest.fixture
def invented_language(german: list[Message], tmp_path: Path) -> Iterator[str]:
    """Our texts and Django's in an invented language: what is left in English has no translation."""
    assert len(FOREIGN_CATALOGUES) > 3
    messages = [message for path in FOREIGN_CATALOGUES for message in read_messages(path)]
    write_invented([*messages, *german], tmp_path / INVENTED / "LC_MESSAGES" / "django.mo")
    with override_settings(LOCALE_PATHS=[str(tmp_path)]):
        yield INVENTED


def test_every_message_has_a_german_translation(german: list[Message]) -> None:
    assert len(german) > 500
    assert [message.text for message in german if message.is_fuzzy or not all(message.translations)] == []
    assert [message.text for message in german if len(message.translations) != (2 if message.plural else 1)] == []


def test_translations_fill_in_what_their_messages_fill_in(german: list[Message]) -> None:
    wrong = [
        message.text
        for message in german
        for translated in message.translations
        if not find_placeholders(translated) <= message.placeholders
        or (not message.plural and find_placeholders(translated) != message.placeholders)
        or re.findall(r"</?\w+", translated) != re.findall(r"</?\w+", message.text)
    ]
    assert wrong == []


def test_translations_begin_and_end_as_their_messages(german: list[Message]) -> None:
    wrong = [
        f"{message.text} -> {translated}"
        for message in german
        for translated in message.translations
        if message.text[0].isspace() != translated[0].isspace()
        or message.text[-1].isspace() != translated[-1].isspace()
        # "No." is not a sentence.
        or (message.text[-1] in ".:…" and translated[-1] != message.text[-1])
    ]
    assert wrong == []


def test_the_compiled_catalogue_is_that_of_the_source(german: list[Message]) -> None:
    with (GERMAN / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    catalogue = {key: text for key, text in compiled._catalog.items() if key}  # type: ignore[attr-defined]
    expected: dict[object, str] = {}
    for message in german:
        if message.plural:
            expected |= {(message.key, form): text for form, text in enumerate(message.translations)}
        else:
            expected[message.key] = message.translations[0]
    assert catalogue == expected, 'Run "make messages".'


def test_the_catalogue_has_the_texts_of_the_code_and_of_the_templates(german: list[Message], tmp_path: Path) -> None:
    if not shutil.which("xgettext"):
        assert not os.environ.get("CI"), "xgettext is missing; install gettext."
        pytest.skip("xgettext is missing; install gettext.")
    copy = tmp_path / "django_wfe"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "static", "*.mo"))
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "--locale", "de", "--no-obsolete", "--no-wrap"],
        cwd=copy,
        env={key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"},
        check=True,
        capture_output=True,
    )
    extracted = read_messages(copy / "locale" / "de" / "LC_MESSAGES" / "django.po")
    assert {(found.key, found.plural) for found in extracted} == {(known.key, known.plural) for known in german}, (
        'Run "make messages", and translate what is new.'
    )


@pytest.mark.django_db
@pytest.mark.parametrize("address", PAGES, ids=str)
def test_a_page_has_no_text_that_cannot_be_translated(address: Address, invented_language: str) -> None:
    world, client = build_world(), sign_in_superuser()
    response = client.get(address.build(world), follow=True, headers={"accept-language": invented_language})
    read_page(response)
    html = response.content.decode()
    assert "⟦" in html
    assert UntranslatedTexts(html, [*list_data(), *ASKED]).found == []


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
@pytest.mark.parametrize("chosen", ["selected", "filter"])
def test_the_preview_of_an_action_has_no_text_that_cannot_be_translated(
    action: str, chosen: str, invented_language: str
) -> None:
    world, client = build_world(), sign_in_superuser()
    jobs = [str(pk) for pk in Job.objects.values_list("pk", flat=True)]
    posted = {"action": f"{action}_selected", "_selected_action": jobs, "select_across": str(int(chosen == "filter"))}
    address = f"{Address('django_wfe_job_changelist').build(world)}?state=open&age=day"
    find_nothing(client.post(address, posted, headers={"accept-language": invented_language}))


@pytest.mark.django_db
@pytest.mark.parametrize("address", [post for post in ADDRESSES if "reason" in post.data], ids=str)
def test_a_form_that_is_refused_has_no_text_that_cannot_be_translated(address: Address, invented_language: str) -> None:
    world, client = build_world(), sign_in_superuser()
    posted = {**world.fill(address.data), "reason": "7" * 1001, "expected_state": "FAILED"}
    path, language = address.build(world), {"accept-language": invented_language}
    find_nothing(client.post(path, posted, follow=True, headers=language))


@pytest.mark.django_db
def test_the_preview_of_many_starts_has_no_text_that_cannot_be_translated(invented_language: str) -> None:
    world, client = build_world(), sign_in_superuser()
    ask_at_once = record(AskingAtOnce)
    language = {"accept-language": invented_language}
    for workflow, rows in (
        (ask_at_once.pk, "key,some_data,7\n1,1,2\n1,1,2\n2,,\n3,9\n"),
        (world.get("workflow"), "key,7\n1,2\n2,\n"),
        (world.get("workflow"), ""),
        (world.get("workflow"), "key\n" + "9\n" * 2),
    ):
        path = reverse("admin:django_wfe_workflow_start_many", args=[workflow])
        preview = client.post(path, {"file": ContentFile(rows.encode(), "7.csv")}, headers=language)
        find_nothing(preview)
        if preview.context.get("confirmed"):
            posted = {"confirmed": preview.context["confirmed"]}
            find_nothing(client.post(path, posted, follow=True, headers=language))


def find_nothing(response: Any) -> None:
    """Assert that a page has no text in English but names and what pydantic says, which is in English only."""
    read_page(response)
    html = response.content.decode()
    assert "⟦" in html
    of_pydantic = [
        "Field required",
        "Input should be a valid integer, unable to parse string as an integer",
        "some_data",
    ]
    assert UntranslatedTexts(html, [*list_data(), *ASKED, *of_pydantic, "csv"]).found == []


@pytest.mark.django_db
def test_what_the_engine_refuses_is_said_in_the_language_of_the_request() -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    cancel_job(job_id)
    with translation.override("de"), pytest.raises(FinishedWorkflow, match="„abgebrochen“: Er nimmt keine Eingabe"):
        provide_external_input(job_id, {"some_data": 1})


@pytest.mark.django_db
def test_the_console_is_german_for_who_asks_for_german() -> None:
    address = Address("django_wfe_job_change", ("waiting",))
    response = sign_in_superuser().get(address.build(build_world()), headers={"accept-language": "de"})
    read_page(response)
    assert "wartet auf Eingabe" in response.content.decode()
    assert 'lang="de"' in response.content.decode()


def test_a_text_that_is_left_in_english_is_found() -> None:
    html = '<p title="Here">⟦Jôb⟧ 5 of Shop</p><pre>log</pre><input type="submit" value="Go on"><b>⟦one⟧ two</b>'
    found = UntranslatedTexts(html, ["Shop"]).found
    assert found == ["p[title]: Here", "p: ⟦Jôb⟧ 5 of Shop", "input[value]: Go on", "b: ⟦one⟧ two"]
    assert UntranslatedTexts('<p>⟦Jôb ⟦âgâîñ⟧⟧ 5 Shop</p><i translate="no">log</i>', ["Shop"]).found == []


def test_the_invented_language_keeps_what_is_filled_in() -> None:
    assert invent_translation("%(count)s jobs, <b>all</b>") == "⟦%(count)s jôbš, <b>âll</b>⟧"
