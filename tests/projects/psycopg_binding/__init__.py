"""psycopg 3 whose cursors send the parameters apart from the statement."""

from tests.projects.options import Options
from tests.support.running.driver import needing_psycopg3

OPTIONS = Options(surroundings=needing_psycopg3)
