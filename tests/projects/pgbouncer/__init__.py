"""Every connection goes through PgBouncer in transaction mode, with fewer sessions than there are clients."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.projects.options import Options
from tests.projects.running import Project
from tests.support.running.pooling import pgbouncer_running


@contextmanager
def _start_pooler(project: Project) -> Iterator[None]:
    with pgbouncer_running() as port:
        project.environment["WFE_PROJECT_POOLER_PORT"] = str(port)
        yield


OPTIONS = Options(surroundings=_start_pooler)
