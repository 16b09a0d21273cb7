"""What is built holds all that the package needs, and works away from the checkout."""

import json
import re
import textwrap
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from django_wfe.version import __version__
from tests.support.documents.distribution import ROOT, Distributions, Environment

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("wheel")]

# The least that docs ask of a project: no REST API, no export, an empty database that nobody connects to.
SETTINGS = """
SECRET_KEY = "only-for-tests"
USE_TZ = True
STATIC_URL = "/static/"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_dramatiq",
    "django_wfe",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "nowhere", "CONN_MAX_AGE": 60}}
ROOT_URLCONF = "own_urls"
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.stub.StubBroker",
    "OPTIONS": {},
    "MIDDLEWARE": ["django_dramatiq.middleware.DbConnectionsMiddleware"],
}
WFE_WORKFLOWS = "own_workflows"
"""

URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""

WORKFLOWS = """
from django_wfe import steps, workflows


class Greet(steps.Step):
    def execute(self):
        return "hello"


class Greeting(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Greet]}
"""

LOOK_AROUND = """
import json
import sys

import django
from django.contrib.staticfiles import finders
from django.template.loader import get_template

import django_wfe
import django_wfe.demo

django.setup()
templates, static = json.load(sys.stdin)
found = {"package": django_wfe.__file__}
found.update((name, get_template(name).origin.name) for name in templates)
found.update((name, finders.find(name)) for name in static)
print(json.dumps(found))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the smallest project that can use the package."""
    for name, text in {"own_settings": SETTINGS, "own_urls": URLS, "own_workflows": WORKFLOWS}.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    return tmp_path


def _list_files(folder: str) -> set[str]:
    """Give the files below a top-level folder of the checkout, as paths below the package."""
    files = {f"django_wfe/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*") if path.is_file()}
    assert files, f"{folder} is empty"
    return files


def test_the_wheel_and_the_sdist_hold_each_file_of_the_package(distributions: Distributions) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "django_wfe").rglob("*.py")}
    data = {str(path.relative_to(ROOT)) for path in (ROOT / "django_wfe/demo/workflows/data").iterdir()}
    catalogues = {str(path.relative_to(ROOT)) for path in (ROOT / "django_wfe/locale").rglob("*") if path.is_file()}
    assert "django_wfe/locale/de/LC_MESSAGES/django.mo" in catalogues
    expected = {*modules, *data, *catalogues, *_list_files("templates"), *_list_files("static"), "django_wfe/py.typed"}
    assert "django_wfe/migrations/0001_initial.py" in expected
    assert expected <= distributions.list_wheel(), "the wheel lacks files"
    assert expected | {"LICENSE", "CHANGELOG.md", "docs/rest.md"} <= distributions.list_sdist(), "the sdist lacks files"


def test_the_wheel_holds_nothing_but_the_package(distributions: Distributions) -> None:
    information = f"django_wfe-{__version__}.dist-info/"
    names = distributions.list_wheel()
    assert f"{information}licenses/LICENSE" in names
    assert {name.partition("/")[0] for name in names} == {"django_wfe", information.rstrip("/")}
    assert not [name for name in names if name.endswith((".pyc", ".orig", "~")) or "__pycache__" in name]


def test_the_metadata_names_the_license_the_pythons_and_the_extras(distributions: Distributions) -> None:
    with ZipFile(distributions.wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"django_wfe-{__version__}.dist-info/METADATA").decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "GPL-3.0-or-later"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).lstrip().startswith("# django-wfe")
    assert {"demo", "postgres", "rest", "test"} <= set(metadata.get_all("Provides-Extra", []))
    needed_always = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert not [line for line in needed_always if line.startswith("psycopg")], "the driver is the project's choice"


def test_django_admin_check_passes_where_only_the_wheel_is_installed(installation: Environment, project: Path) -> None:
    variables = {"DJANGO_SETTINGS_MODULE": "own_settings", "PYTHONPATH": str(project)}
    result = installation.run("-m", "django", "check", directory=project, variables=variables)
    assert result.returncode == 0, result.stderr
    # Only that there is no database of this name.
    told = re.findall(r"\((wfe\.\w+)\)", result.stdout + result.stderr)
    assert told == ["wfe.I002"], result.stderr
    result = installation.run("-m", "django", "wfe_check", directory=project, variables=variables)
    assert "1 workflow, no problems." in result.stdout


def test_django_finds_each_template_and_static_file_in_the_installed_wheel(
    installation: Environment, project: Path
) -> None:
    templates = sorted(name.removeprefix("django_wfe/templates/") for name in _list_files("templates"))
    static = sorted(name.removeprefix("django_wfe/static/") for name in _list_files("static"))
    (project / "look_around.py").write_text(LOOK_AROUND)
    result = installation.run(
        "look_around.py",
        directory=project,
        variables={"DJANGO_SETTINGS_MODULE": "own_settings"},
        text=json.dumps([templates, static]),
    )
    found = json.loads(result.stdout)
    assert set(found) == {"package", *templates, *static}
    elsewhere = {
        name: place for name, place in found.items() if not Path(place or "/").is_relative_to(installation.directory)
    }
    assert not elsewhere
