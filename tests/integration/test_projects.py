"""Projects that are set up in other ways, from ``migrate`` to finished jobs and every page; see ``tests/projects``."""

from pathlib import Path

import pytest

from tests.projects.running import list_projects, project_set_up
from tests.projects.story import go_through

pytestmark = [pytest.mark.integration, pytest.mark.projects]


@pytest.mark.parametrize("name", list_projects())
def test_a_project_comes_from_migrate_to_finished_jobs_and_every_page(
    name: str, tmp_path: Path, redis_url: str, broker_namespace: str
) -> None:
    with project_set_up(name, tmp_path, redis_url, broker_namespace) as project:
        go_through(project)
