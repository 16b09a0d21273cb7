from tests.projects.base import *  # noqa: F403
