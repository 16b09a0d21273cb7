from tests.projects.base import *  # noqa: F403

DATABASE_ROUTERS = ["tests.projects.replica.routers.ReplicaRouter"]
