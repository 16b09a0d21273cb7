"""psycopg 3 whose cursors send the parameters apart from the statement."""

from tests.driver import needing_psycopg3
from tests.projects.options import Options

OPTIONS = Options(surroundings=needing_psycopg3)
