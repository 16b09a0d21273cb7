"""A pool that is smaller than the number of threads that could ask at once, most of the time."""

from tests.projects.base import *  # noqa: F403

DATABASES["default"] |= {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 1, "max_size": 6}}}  # noqa: F405
