from tests.projects.base import *  # noqa: F403

DATABASE_ROUTERS = ["tests.projects.other_database.routers.OfficeRouter"]
WFE_DATABASE = "office"
