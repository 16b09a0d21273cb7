"""A project that ran django-wfe 1.x until now: its database has the old tables, and jobs in them."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.projects.options import Options
from tests.projects.running import Project, execute
from tests.version_one import JOBS, build_reference, build_version_one


@contextmanager
def _with_old_tables(project: Project) -> Iterator[None]:
    """Make the tables of Django's own apps and those of 1.x; at the end the old jobs must still be there to be read."""
    for app in ("contenttypes", "auth", "admin", "sessions"):
        project.manage("migrate", app, "--verbosity", "0")
    name = project.databases["default"]
    execute(name, build_version_one(3) + build_reference())
    yield
    assert len(execute(name, "SELECT id FROM django_wfe1_job")) == len(JOBS)
    assert "It ran to its end under django-wfe 1.x" in project.manage("wfe_job", "show", "3")
    assert "It failed at" in project.manage("wfe_doctor", "8")


OPTIONS = Options(surroundings=_with_old_tables)
