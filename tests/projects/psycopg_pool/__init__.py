"""psycopg 3 with Django's pool of connections: closing one hands it on to the next who asks."""

from tests.driver import needing_psycopg3
from tests.projects.options import Options

OPTIONS = Options(surroundings=needing_psycopg3)
