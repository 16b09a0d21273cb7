from tests.projects.base import *  # noqa: F403

USE_TZ = False
TIME_ZONE = "Europe/Berlin"
