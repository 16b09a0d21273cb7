"""Server-side binding, and statements that the driver prepares by itself when it has seen them twice."""

from tests.projects.base import *  # noqa: F403

DATABASES["default"] |= {"OPTIONS": {"server_side_binding": True, "prepare_threshold": 2}}  # noqa: F405
