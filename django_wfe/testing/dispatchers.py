"""A broker's double, which keeps messages in memory and does to them what brokers do."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Self

from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.delivery import dispatcher as delivery
from django_wfe.engine.delivery.dispatcher import Dispatcher, install_dispatcher
from django_wfe.engine.worker.loop import run_step_run


class Message(delivery.Message):
    """One message. ``delay_seconds`` is how long it is still held back; ``advance_time`` makes it less."""

    __slots__ = ()

    def deliver(self) -> None:
        """Do what a worker does that gets this message."""
        if self.kind == "step":
            run_step_run(self.number)
        else:
            work_on_bulk(self.number)


class RecordingDispatcher(Dispatcher):
    """Stands for the broker: keeps what the engine sends until it is delivered, doubled, dropped or put out of order.

    Use it as a context manager: the engine sends to it inside the block, and as before after it. ``messages`` is the
    queue, oldest first; ``sent`` counts all messages that ever came.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.sent = 0
        self._before: list[Dispatcher | None] = []

    def __enter__(self) -> Self:
        self._before.append(install_dispatcher(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        install_dispatcher(self._before.pop())

    def send(self, message: delivery.Message) -> bool:
        """Keep a message. What the engine calls."""
        self.messages.append(Message(message.kind, message.number, message.delay_seconds))
        self.sent += 1
        return True

    def deliver_all(self, *, limit: int = 10_000) -> int:
        """Deliver every message that is not held back, and those that are sent meanwhile; return their number.

        Raises:
            AssertionError: if ``limit`` messages did not bring it to an end.
        """
        count = 0
        while self.deliver_next():
            count += 1
            if count >= limit:
                raise AssertionError(
                    f"{limit} messages were delivered and {len(self.messages)} are there still: does a workflow go "
                    "round without end? Raise limit= if it needs more."
                )
        return count

    def deliver_next(self) -> bool:
        """Deliver the oldest message that is not held back; give False if there is none."""
        for index, message in enumerate(self.messages):
            if message.delay_seconds <= 0:
                del self.messages[index]
                message.deliver()
                return True
        return False

    def drop_all(self) -> int:
        """Lose every message, as a broker does whose data are gone; return their number."""
        count = len(self.messages)
        self.messages.clear()
        return count

    def duplicate_all(self) -> None:
        """Put a second copy of every message behind the others, as a broker does that redelivers."""
        self.messages += [Message(m.kind, m.number, m.delay_seconds) for m in self.messages]

    def shuffle(self, *, seed: int = 0) -> None:
        """Put the messages out of order; the same seed gives the same order."""
        random.Random(seed).shuffle(self.messages)  # noqa: S311  (an order for tests, no secret)

    def let_time_pass(self, seconds: float, step_run_ids: set[int] | None = None) -> None:
        """Make the delays shorter, of the given step runs or of all. What ``advance_time`` calls."""
        for message in self.messages:
            if step_run_ids is None or (message.kind == "step" and message.number in step_run_ids):
                message.delay_seconds = max(0.0, message.delay_seconds - seconds)
