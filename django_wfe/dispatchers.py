"""How messages get to the workers. ``WFE_DISPATCHER`` names the class that sends them; see docs/extending.md."""

from __future__ import annotations

from typing import Any

from django_wfe.engine.delivery.dispatcher import Dispatcher, Message
from django_wfe.engine.worker.foreign_messages import OPTION, name_own_database
from django_wfe.tasks import run_bulk, run_step

__all__ = ["Dispatcher", "DramatiqDispatcher", "Message"]


class DramatiqDispatcher(Dispatcher):
    """Sends a message to the actor for each step run that is ready, and for each slice of a bulk run. The default.

    A broker that is away raises an exception of its own. The engine logs it, and the watchdog sends the message again
    when the broker is back.
    """

    def send(self, message: Message) -> bool:
        """Send a message over Dramatiq's broker."""
        actor = run_step if message.kind == "step" else run_bulk
        options: dict[str, Any] = {OPTION: name_own_database()}
        actor.send_with_options(args=(message.number,), delay=int(message.delay_seconds * 1000) or None, **options)
        return True
