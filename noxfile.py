"""The tests over every Python, Django, driver and broker that is supported: ``nox --list`` names the sessions.

``bash .ci/run`` runs the two corners. This is for the rest of the table, on a machine that has the Pythons::

    pip install nox
    nox --session "tests(python='3.12', django='6.0', driver='psycopg3')"
    nox --session brokers
"""

from __future__ import annotations

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
DJANGOS = {"5.2": "Django>=5.2,<5.3", "6.0": "Django>=6.0,<6.1", "6.1": "Django>=6.1,<6.2"}
DRIVERS = ["psycopg2", "psycopg3"]
BROKERS = ["rabbitmq", "redis"]
SLOW = "not chaos and not survey and not projects"

nox.options.sessions = ["lint", "tests"]
nox.options.error_on_missing_interpreters = False


def list_combinations() -> list[object]:
    """Return every Python with every Django that supports it: Django 6 needs Python 3.12."""
    return [
        nox.param(python, django, driver, id=f"python={python!r}, django={django!r}, driver={driver!r}")
        for python in PYTHONS
        for django in DJANGOS
        for driver in DRIVERS
        if django == "5.2" or python != "3.11"
    ]


def install(session: nox.Session, extra: str, django: str, driver: str) -> None:
    """Install the package with an extra, one Django and one driver."""
    session.install("--editable", f".[{extra}]", DJANGOS[django])
    if driver == "psycopg3":
        session.install("--editable", f".[{extra},psycopg]", DJANGOS[django])
        session.run("python", "-m", "pip", "uninstall", "--yes", "--quiet", "psycopg2-binary")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and layers."""
    session.install("--editable", ".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
@nox.parametrize("python,django,driver", list_combinations())
def tests(session: nox.Session, django: str, driver: str) -> None:
    """Run what ``make test`` runs. Arguments after "--" go to pytest."""
    install(session, "test", django, driver)
    session.run("pytest", "--numprocesses", "auto", "--dist", "loadgroup", "-m", SLOW, *session.posargs)


@nox.session
@nox.parametrize("broker", BROKERS)
def brokers(session: nox.Session, broker: str) -> None:
    """Run jobs for a minute while workers, broker and database are killed."""
    install(session, "test", "5.2", "psycopg2")
    session.run("python", "-m", "tests.chaos.storm", "--broker", broker, "--minutes", "1", *session.posargs)
