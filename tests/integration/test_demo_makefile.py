"""The Makefile finds a Python, makes the environment once, and installs again only when the package's files changed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.demo.demo_helpers import ROOT

pytestmark = pytest.mark.integration

PLAIN = "not chaos and not survey and not projects"
"""Which tests a plain "make test" runs, by their marks."""

# A Python of the version it was made with. It logs each "-m" call, and an environment made by it holds a copy of it.
FAKE_PYTHON = """#!/bin/sh
version={version}
case "$1" in
    -c) [ {usable} = yes ];;
    --version) echo "Python $version";;
    -m) echo "$version: $*" >> "{log}"
        if [ "$2" = venv ]; then shift $(($# - 1)); mkdir -p "$1/bin" && cp "$0" "$1/bin/python"; fi;;
esac
"""


class Project:
    """A copy of the Makefile in a folder where every Python is a fake."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "project"
        self.programs = directory / "programs"
        self.log = directory / "log"
        for folder in (self.directory, self.programs):
            folder.mkdir()
        for name in ("Makefile", "setup.cfg", "pyproject.toml"):
            shutil.copy(ROOT / name, self.directory)
        # Pythons of this machine must not be found.
        for name in ("python3", *(f"python3.{minor}" for minor in range(11, 20))):
            self.add_python(name, "3.9.2", usable=False)

    def add_python(self, name: str, version: str, *, usable: bool = True) -> None:
        program = self.programs / name
        program.write_text(FAKE_PYTHON.format(version=version, usable="yes" if usable else "no", log=self.log))
        program.chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            ["make", *arguments], cwd=self.directory, env=environment, capture_output=True, text=True, check=False
        )

    def read_calls(self) -> list[str]:
        """What the fakes were asked to run since the last time."""
        if not self.log.exists():
            return []
        calls = self.log.read_text().splitlines()
        self.log.unlink()
        return calls


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh clone on a machine without any usable Python."""
    return Project(tmp_path)


def test_make_alone_says_what_can_be_made(project: Project) -> None:
    result = project.make()
    assert result.returncode == 0
    for target in ("demo", "demo-check", "test", "lint", "clean"):
        assert f"  make {target} " in result.stdout
    assert project.read_calls() == []


def test_python3_is_taken_where_it_is_new_enough(project: Project) -> None:
    project.add_python("python3", "3.12.1")
    project.add_python("python3.13", "3.13.1")
    assert project.make("test").returncode == 0
    assert project.read_calls() == [
        "3.12.1: -m venv --clear .venv",
        "3.12.1: -m pip install -qq --disable-pip-version-check --editable .[test]",
        f"3.12.1: -m pytest -n 2 --dist loadgroup -m {PLAIN}",
    ]


def test_the_newest_python_found_is_taken_where_python3_is_too_old(project: Project) -> None:
    project.add_python("python3.12", "3.12.1")
    project.add_python("python3.13", "3.13.1")
    result = project.make("test")
    assert "Making .venv with Python 3.13.1" in result.stdout
    assert project.read_calls()[0] == "3.13.1: -m venv --clear .venv"


def test_the_variables_python_and_venv_choose(project: Project) -> None:
    project.add_python("python3", "3.12.1")
    project.add_python("snake", "3.14.0")
    assert project.make("test", "PYTHON=snake", "VENV=other").returncode == 0
    assert project.read_calls()[0] == "3.14.0: -m venv --clear other"


def test_without_any_python_the_cure_is_told(project: Project) -> None:
    result = project.make("demo")
    assert result.returncode != 0
    assert "Python 3.11 or newer with its venv module is needed" in result.stderr
    assert "apt install python3-venv" in result.stderr
    assert "make PYTHON=" in result.stderr


def test_what_is_installed_is_installed_again_only_after_a_change(project: Project) -> None:
    project.add_python("python3", "3.12.1")
    project.make("test")
    project.read_calls()
    project.make("test")
    assert project.read_calls() == [f"3.12.1: -m pytest -n 2 --dist loadgroup -m {PLAIN}"]
    project.make("demo")
    assert project.read_calls() == ["3.12.1: -m django_wfe.demo --port 8000 --stop-with-parent"]
    newer = (project.directory / ".venv" / ".installed-test").stat().st_mtime + 10
    os.utime(project.directory / "setup.cfg", (newer, newer))
    project.make("test")
    assert project.read_calls() == [
        "3.12.1: -m pip install -qq --disable-pip-version-check --editable .[test]",
        f"3.12.1: -m pytest -n 2 --dist loadgroup -m {PLAIN}",
    ]


def test_an_environment_that_was_there_before_is_kept(project: Project) -> None:
    project.add_python("python3", "3.12.1")
    project.make("test")
    (project.directory / ".venv" / ".created").unlink()
    project.read_calls()
    assert project.make("test").returncode == 0
    assert not any("venv" in call for call in project.read_calls())


def test_the_demo_gets_its_port_and_further_arguments(project: Project) -> None:
    project.add_python("python3", "3.12.1")
    project.make("demo", "PORT=9000", "ARGS=--directory elsewhere")
    assert project.read_calls()[-1] == (
        "3.12.1: -m django_wfe.demo --port 9000 --stop-with-parent --directory elsewhere"
    )


def test_clean_asks_the_demo_to_delete_its_data_and_then_deletes_the_environment(project: Project) -> None:
    project.add_python("python3", "3.12.1")
    project.make("demo")
    (project.directory / ".demo").mkdir()
    project.read_calls()
    assert project.make("clean").returncode == 0
    assert project.read_calls() == ["3.12.1: -m django_wfe.demo clean"]
    assert not (project.directory / ".venv").exists()
