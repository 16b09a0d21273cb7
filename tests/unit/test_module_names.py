"""What an entry of WFE_WORKFLOWS was meant to be."""

import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_wfe.checks import project_checks
from django_wfe.conf import Settings
from django_wfe.engine.project_code.module_names import suggest_module
from tests import workflows
from tests.definition_files import TWO_STEPS, Project, open_project

pytestmark = pytest.mark.unit


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with open_project(tmp_path) as opened:
        opened.write("workflows", TWO_STEPS)
        monkeypatch.chdir(opened.folder)
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", f"{opened.package}.settings")
        yield opened


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{p}.workflows.Flow", "“Flow” is a class; write the module that holds it: “{p}.workflows”."),
        ("{p}/workflows.py", "It is the path of a file; write the module as Python imports it: “{p}.workflows”."),
        ("./{p}/workflows.py", "It is the path of a file; write the module as Python imports it: “{p}.workflows”."),
        ("{p}.workflows.py", "It is the path of a file; write the module as Python imports it: “{p}.workflows”."),
        ("{p}.workflows:Flow", "Write “{p}.workflows”."),
        (" {p}.workflows", "Write “{p}.workflows”."),
        ("{p}.workflows, shop.flows", 'Write a list, one module an entry: ["{p}.workflows", "shop.flows"].'),
        ("{p}.workflow", "Did you mean “{p}.workflows”?"),
        ("{p}.worfklows", "Did you mean “{p}.workflows”?"),
        ("{p}", "Did you mean “{p}.workflows”?"),
        ("{p}x.workflows", "Did you mean “{p}.workflows”?"),
        ("workflows", "Did you mean “{p}.workflows”?"),
    ],
)
def test_a_wrong_entry_is_told_what_was_meant(project: Project, settings, entry: str, said: str) -> None:
    name = entry.format(p=project.package)
    settings.WFE_WORKFLOWS = [name]
    (message,) = project_checks.check_workflows(None)
    assert said.format(p=project.package) in f"{message.msg} {message.hint}"
    assert name in message.msg


def test_an_absolute_path_is_told_the_module(project: Project) -> None:
    assert f"“{project.package}.workflows”" in suggest_module(str(project.path("workflows")))


def test_what_resembles_nothing_gets_no_guess(project: Project) -> None:
    assert suggest_module("entirely.different") == ""
    assert suggest_module(f"{project.package}.zzz") == ""
    assert suggest_module(f"{project.package}.workflows") == ""


def test_a_module_or_class_itself_is_told_its_path(settings) -> None:
    for value in (workflows, [workflows], workflows.Linear, [workflows.Linear]):
        settings.WFE_WORKFLOWS = value
        with pytest.raises(ImproperlyConfigured, match=r'such as "tests\.workflows"'):
            _ = Settings().workflows


def test_a_guess_imports_nothing_of_the_project_but_packages(project: Project) -> None:
    project.write("costly", "raise SystemExit('it was imported')")
    assert suggest_module(f"{project.package}.costli") == f"Did you mean “{project.package}.costly”?"
    assert f"{project.package}.costly" not in sys.modules
