"""Which command of ``manage.py`` this process runs."""

from __future__ import annotations

import sys

from django.core.management import get_commands


def get_running_command() -> str:
    """Return the name of the command, such as "runserver", or "" for a process that runs none."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    return name if name in get_commands() else ""


def is_check_asked_for() -> bool:
    """Return whether somebody asks what is wrong: by ``manage.py check``, or from outside of ``manage.py``.

    Every other command runs the checks before its own work, and what is wrong in one file must not keep it from that.
    """
    return get_running_command() in ("", "check")
