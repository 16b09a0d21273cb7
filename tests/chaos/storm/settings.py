"""Settings of a storm's processes, on servers that the driver has started. See ``tests.settings`` for the variables."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 60  # type: ignore[assignment]

WFE_WORKFLOWS = "tests.chaos.storm.workflows"
WFE_WORKER_TIMEOUT = 10
WFE_RECOVERY_INTERVAL = 2
WFE_REDISPATCH_AFTER = 3
WFE_SLICE_SECONDS = 2
# With so many kills an innocent step may well lose three workers. Here a Job must not fail of that.
WFE_MAX_LOST_RUNS = 50
