"""A project that reads from a replica which lags so far behind that it has no table yet.

What reads the engine's state there finds nothing at all, and fails.
"""

from tests.projects.options import Options

OPTIONS = Options(databases=("default", "replica"))
