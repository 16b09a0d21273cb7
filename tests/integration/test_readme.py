"""What README.md says is so: its tutorial is followed to the letter, its tables and examples are held to the code."""

import ast
import configparser
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from django_wfe.conf import Settings
from tests.support.demo.visits import Visit
from tests.support.documents.distribution import ROOT, Environment
from tests.support.documents.readme_blocks import Block, Reader, read_blocks, read_commands
from tests.support.running.driver import connect, is_psycopg3
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("wheel")]

README = ROOT / "README.md"
SESSION = ROOT / "tests" / "support" / "documents" / "readme_session.py"
TUTORIAL = "Five minutes to a finished Job"
DATABASE = f"wfe_readme_{os.getpid()}"
ENDLESS = ("wfe_watchdog", "rundramatiq", "runserver")
POLICY = 'MIDDLEWARE.insert(0, "django_wfe.demo.middleware.ContentSecurityPolicyMiddleware")\n'


def _find_blocks(section: str, *languages: str) -> list[Block]:
    found = [block for block in read_blocks(README) if block.section == section and block.language in languages]
    assert found, f"{section!r} has no blocks of {languages}"
    return found


@pytest.fixture
def database() -> Iterator[dict[str, str]]:
    """An empty database of the name above; gives the variables by which PostgreSQL's library finds its server."""
    server = django_settings.DATABASES["default"]
    variables = {
        "PGHOST": str(server["HOST"]),
        "PGPORT": str(server["PORT"] or 5432),
        "PGUSER": str(server["USER"]),
        "PGPASSWORD": str(server["PASSWORD"]),
    }
    _execute(variables, f"CREATE DATABASE {DATABASE}")
    yield variables
    _execute(variables, f"DROP DATABASE {DATABASE} WITH (FORCE)")


def test_the_tutorial_leads_to_a_finished_job(
    tmp_path: Path, installation: Environment, database: dict[str, str], redis_url: str, broker_namespace: str
) -> None:
    port = _find_free_port()
    reader = Reader(
        tmp_path,
        installation.make_variables(**database, PIP_NO_INDEX="1", PYTHONUNBUFFERED="1"),
        changes={
            '"NAME": "shop"': f'"NAME": "{DATABASE}"',
            '"url": "redis://127.0.0.1:6379/0"': f'"url": "{redis_url}", "namespace": "{broker_namespace}-readme"',
            "manage.py runserver": f"manage.py runserver 127.0.0.1:{port}",
            # The tutorial installs the default driver; here it is followed with the one that this environment has.
            "django-wfe[postgres]": "django-wfe[psycopg]" if is_psycopg3 else "django-wfe[postgres]",
        },
    )
    endless = []
    for block in _find_blocks(TUTORIAL, "console", "python"):
        if block.language == "python":
            reader.write_file(block)
            continue
        commands = read_commands(block)
        if any(name in command.line for name in ENDLESS for command in commands):
            endless += commands
            continue
        for command in commands:
            output = reader.run(command)
            assert "does not provide the extra" not in output
    assert len(endless) == len(ENDLESS)
    # Every page of the console must come up under a strict policy; the visitor below insists on it.
    with (reader.directory / "shop" / "settings.py").open("a") as opened:
        opened.write(POLICY)
    (session,) = _find_blocks(TUTORIAL, "pycon")
    with reader.running(endless):
        wait_until(lambda: _answers(port), timeout=30, message=reader.describe_terminals)
        _go_through_the_admin(f"http://127.0.0.1:{port}/")
        _type(session, reader)
    reader.check_that_all_was_met()


def _go_through_the_admin(address: str) -> None:
    visit = Visit(address)
    visit.admin.sign_in("admin", "secret")
    visit.clerk = visit.admin  # one person does all
    job = visit.start_job("Refund", {"order": "1042"})
    page = visit.open_question(job, "AskAmount")
    assert "Ask amount" in page.text
    assert "In euros." in page.text
    visit.answer_wrongly(page, {"amount": "0"}, "greater than 0")
    visit.answer(visit.open_question(job, "AskAmount"), {"amount": "120", "comment": "Broken on arrival"})
    page = visit.wait_for_state(job, "FINISHED", by=visit.admin)
    assert "Paying back 120 for order 1042" in visit.admin.get_text(page.address) + page.text
    page = visit.admin.get("/admin/shop/order/")
    page = visit.admin.get(page.find_link("1042"))
    assert f"/job/{job}/change/" in visit.admin.get_text(page.address)
    assert "Start: Refund" in page.text


def _type(session: Block, reader: Reader) -> None:
    variables = {**reader.variables, "DJANGO_SETTINGS_MODULE": "shop.settings"}
    result = subprocess.run(
        ["python", str(SESSION)],
        cwd=reader.directory,
        env=variables,
        input=session.text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_snippet_is_of_a_kind_that_no_test_looks_at() -> None:
    looked_at = {
        "Try it": {"console"},
        TUTORIAL: {"console", "python", "pycon"},
        "Deployment": {"python", "ini"},
    }
    for block in read_blocks(README):
        assert block.language in looked_at.get(block.section, set()), f"{block.section}: {block.text[:200]}"


def test_the_two_commands_can_be_made() -> None:
    (block,) = _find_blocks("Try it", "console")
    makefile = (ROOT / "Makefile").read_text()
    lines = [command.line for command in read_commands(block)]
    assert lines == ["make demo", "make test"]
    for line in lines:
        assert re.search(rf"^{line.removeprefix('make ')}:", makefile, re.MULTILINE)


def test_the_table_of_settings_says_what_the_code_does(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = re.findall(r"^\| `(WFE_\w+)` \| `(.+?)` \| (.+) \|$", README.read_text(), re.MULTILINE)
    told = {name: (ast.literal_eval(default), meaning) for name, default, meaning in rows}
    known = _list_settings(monkeypatch)
    assert told.keys() == known.keys()
    for name, (default, meaning) in told.items():
        value, docstring = known[name]
        default = _name_database(default)
        assert default == value, name
        for unit in ("seconds", "bytes"):
            assert (unit in meaning) == (unit in docstring.lower() or ("MiB" in docstring and unit == "bytes")), name


def _name_database(default: Any) -> Any:
    """Put the name of this run's database where the README says "<database>"."""
    return (
        default.replace("<database>", str(django_settings.DATABASES["default"]["NAME"]))
        if isinstance(default, str)
        else default
    )


def _list_settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, str]]:
    """Give the default and the docstring of each setting that the code reads."""
    found = {}
    for attribute, member in vars(Settings).items():
        if isinstance(member, property):
            docstring = member.__doc__ or ""
            name = re.match(r"``(WFE_\w+)``", docstring)
            assert name, f"the docstring of {attribute} begins with no setting"
            monkeypatch.delattr(django_settings, name[1], raising=False)
            found[name[1]] = (getattr(Settings(), attribute), docstring)
    return found


def test_the_settings_for_rabbitmq_reach_one(rabbitmq_url: str) -> None:
    (block,) = _find_blocks("Deployment", "python")
    names: dict[str, Any] = {}
    exec(block.text, names)
    told = names["DRAMATIQ_BROKER"]
    assert told["OPTIONS"]["url"] == rabbitmq_url
    broker = import_string(told["BROKER"])(
        **told["OPTIONS"], middleware=[import_string(m)() for m in told["MIDDLEWARE"]]
    )
    with closing(broker):
        assert broker.connection.is_open


def test_the_units_for_systemd_start_commands_that_there_are() -> None:
    blocks = _find_blocks("Deployment", "ini")
    started = []
    for block in blocks:
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(block.text)
        assert unit["Service"]["Restart"] == "always"
        _python, manage, name, *arguments = shlex.split(unit["Service"]["ExecStart"])
        assert manage == "manage.py"
        options = _load_command(name).create_parser("manage.py", name).parse_args(arguments)
        started.append(name)
        if name == "rundramatiq":
            assert options.worker_shutdown_timeout / 1000 < int(unit["Service"]["TimeoutStopSec"])
    assert started == ["rundramatiq", "wfe_watchdog"]


def _load_command(name: str) -> BaseCommand:
    app = "django_dramatiq" if name == "rundramatiq" else "django_wfe"
    return load_command_class(app, name)


@pytest.mark.parametrize("file", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    links = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)
    for link in links:
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https"
            continue
        target = (ROOT / file).parent / parts.path if parts.path else ROOT / file
        assert target.is_file(), f"{file} links to {link}"
        if parts.fragment:
            assert parts.fragment in _list_anchors(target), f"{file} links to {link}"


def _list_anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _execute(variables: dict[str, str], statement: str) -> None:
    with _connect(variables) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def _connect(variables: dict[str, str]) -> Iterator[Any]:
    with closing(
        connect(
            dbname="postgres",
            host=variables["PGHOST"],
            port=variables["PGPORT"],
            user=variables["PGUSER"],
            password=variables["PGPASSWORD"],
        )
    ) as connection:
        connection.autocommit = True  # a database is made outside of transactions
        yield connection


def _find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
