"""A project whose people and jobs are in a database other than the default one, which holds something else."""

from tests.projects.options import Options

OPTIONS = Options(databases=("default", "office"), migrated=("default", "office"))
