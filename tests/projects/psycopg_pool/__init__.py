"""psycopg 3 with Django's pool of connections: closing one hands it on to the next who asks."""

from tests.projects.options import Options
from tests.support.running.driver import needing_psycopg3

OPTIONS = Options(surroundings=needing_psycopg3)
