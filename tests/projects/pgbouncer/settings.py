"""What the documentation says to write for PgBouncer in transaction mode."""

import os

from tests.projects.base import *  # noqa: F403

DATABASES["default"] |= {  # noqa: F405
    "HOST": "127.0.0.1",
    "PORT": os.environ.get("WFE_PROJECT_POOLER_PORT", "6432"),
    "DISABLE_SERVER_SIDE_CURSORS": True,
}
# A lease of five seconds, and what is lost is soon found.
WFE_RECOVERY_INTERVAL = 0.5
