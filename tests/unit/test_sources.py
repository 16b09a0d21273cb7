"""Which of the project's files stand behind a module, read from the files alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.engine.project_code.source_files import Source, find_source, list_imports, list_sources
from tests.definition_files import Project, open_project

pytestmark = pytest.mark.unit


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        yield opened


def test_all_ways_to_import_are_followed_and_nothing_is_imported_for_it(project):
    project.write(
        "flows",
        "import os, PACKAGE.plain as plain\n"
        "from PACKAGE.named import (  # a comment (with brackets)\n    ONE,\n    TWO,\n)\n"
        "from . import beside\n"
        "from .deep.inner import \\\n    THREE\n"
        "if True:\n    from PACKAGE import nested\n"
        "def late():\n    import PACKAGE.later\n"
        "from PACKAGE.stars import *\n"
        "from nowhere_at_all import something\nfrom pydantic import BaseModel\n",
    )
    for name in ("plain", "named", "beside", "deep.__init__", "nested", "later", "stars", "unrelated"):
        project.write(name, "1 / 0")
    project.write("deep.inner", "from ..beside import x\nfrom ...too_far import y")
    names = {name.removeprefix(project.package) for name in list_sources([project.flows])}
    expected = {"", ".flows", ".plain", ".named", ".beside", ".deep", ".deep.inner", ".nested", ".later", ".stars"}
    assert names == expected
    assert not any(name.startswith(project.package) for name in sys.modules)


def test_modules_that_import_each_other_are_listed_once(project):
    project.write("flows", "import PACKAGE.other")
    project.write("other", "import PACKAGE.flows")
    assert set(list_sources([project.flows])) == {project.package, project.flows, f"{project.package}.other"}


def test_an_import_that_is_added_is_seen(project):
    file = project.write("flows", "")
    source = Source(project.flows, str(file))
    assert list_imports(source) == frozenset()
    project.write("flows", "import json")
    assert list_imports(source) == {"json"}


def test_libraries_and_what_does_not_exist_have_no_place_in_it(project):
    assert list_sources(["pydantic", "json", "sys", "nowhere_at_all.deeper", "django_wfe.steps", ""]) == {}
    assert set(list_sources(["django_wfe.demo.workflows"])) >= {"django_wfe.demo.workflows", "django_wfe.demo"}
    assert find_source("nowhere_at_all.deeper") is None
