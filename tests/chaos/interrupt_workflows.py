"""Steps that never end by themselves, each elsewhere in Python and Django, and what they must not leave behind."""

import asyncio
import logging
import queue
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction

from django_wfe import steps, workflows

LOCK = threading.Lock()
REENTRANT = threading.RLock()
CONDITION = threading.Condition()
SEMAPHORE = threading.Semaphore(2)
QUEUE: "queue.Queue[int]" = queue.Queue(maxsize=10)
OPEN: Counter[str] = Counter()
"""How often each context manager of a step is open."""

EXECUTED: Counter[str] = Counter()
"""How often each attempt of the steps that end was executed, by key and attempt."""

slow_logger = logging.getLogger("tests.chaos.slow")


class SlowHandler(logging.FileHandler):
    """Holds its lock for a while, as a handler on a slow disk does."""

    def flush(self) -> None:
        super().flush()
        time.sleep(0.002)


class Endless(steps.Step):
    """Begins at a random moment, so that what comes from outside hits each place."""

    def execute(self, _input=None):
        time.sleep(random.random() * 0.01)
        while True:
            self.turn()

    def turn(self) -> None:
        raise NotImplementedError


class Busy(Endless):
    def turn(self) -> None:
        sum(number * number for number in range(100))


class Updating(Endless):
    def turn(self) -> None:
        with transaction.atomic():
            Group.objects.filter(name="shared").update(name="shared")


class Nesting(Endless):
    def turn(self) -> None:
        with transaction.atomic():
            Group.objects.count()
            try:
                with transaction.atomic():
                    Group.objects.create(name="shared")
            except IntegrityError:
                Group.objects.filter(name="shared").exists()


class Reading(Endless):
    def turn(self) -> None:
        for group in Group.objects.order_by("name").iterator(chunk_size=2):
            str(group)
        list(Group.objects.raw("SELECT id, name FROM auth_group"))


class LongStatement(Endless):
    def turn(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")


class SwallowsErrors(Endless):
    def turn(self) -> None:
        try:
            Group.objects.create(name="shared")
        except Exception:
            Group.objects.filter(name="nobody").delete()


class Logging(Endless):
    def turn(self) -> None:
        slow_logger.info("one more line")
        self.log.warning("and %s", "another")
        print("and a third")


class Locking(Endless):
    def turn(self) -> None:
        with LOCK:
            sum(range(50))
        LOCK.acquire()
        try:
            sum(range(50))
        finally:
            LOCK.release()
        with REENTRANT, CONDITION, SEMAPHORE:
            CONDITION.notify_all()


class WaitingForNothing(Endless):
    def turn(self) -> None:
        with CONDITION:
            CONDITION.wait(0.02)
        threading.Event().wait(0.02)


class Queueing(Endless):
    def turn(self) -> None:
        # Threads that do nothing but fight for one lock hand it to each other and are never seen anywhere else: after
        # 10 s that costs the process, as guarantee 7 allows.
        time.sleep(0.001)
        try:
            QUEUE.put(1, timeout=0.01)
            QUEUE.get(timeout=0.01)
        except (queue.Empty, queue.Full):
            pass


class Threading(Endless):
    def turn(self) -> None:
        thread = threading.Thread(target=sum, args=(range(1000),))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(abs, range(5)))


class Calling(Endless):
    def turn(self) -> None:
        subprocess.run(["true"], check=True, capture_output=True)


@contextmanager
def opened(name: str) -> Iterator[None]:
    OPEN[name] += 1
    try:
        yield
    finally:
        OPEN[name] -= 1


class Opening(Endless):
    def turn(self) -> None:
        with opened(f"{id(self)}"):
            sum(range(50))


class AsyncEndless(steps.Step):
    """The same in a coroutine."""

    async def execute(self, _input=None):
        await asyncio.sleep(random.random() * 0.01)
        while True:
            await self.turn()

    async def turn(self) -> None:
        raise NotImplementedError


class AsyncUpdating(AsyncEndless):
    async def turn(self) -> None:
        await Group.objects.filter(name="shared").aupdate(name="shared")
        async for group in Group.objects.order_by("name"):
            str(group)


class AsyncInThreads(AsyncEndless):
    async def turn(self) -> None:
        await asyncio.gather(
            sync_to_async(Updating.turn)(self), asyncio.to_thread(Locking.turn, self), asyncio.to_thread(sum, range(50))
        )


class AsyncBusy(AsyncEndless):
    async def turn(self) -> None:
        with opened(f"{id(self)}"):
            sum(number * number for number in range(10_000))
        Logging.turn(self)
        Locking.turn(self)
        await asyncio.sleep(0)


class AsyncStreaming(AsyncEndless):
    async def turn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.Event().wait())
                    group.create_task(reader.read(1))
            finally:
                writer.close()
                await Group.objects.acount()


class AsyncLongStatement(AsyncEndless):
    async def turn(self) -> None:
        await sync_to_async(LongStatement.turn)(self)


KINDS: tuple[type[steps.Step], ...] = (
    Busy,
    Updating,
    Nesting,
    Reading,
    LongStatement,
    SwallowsErrors,
    Logging,
    Locking,
    WaitingForNothing,
    Queueing,
    Threading,
    Calling,
    Opening,
    AsyncUpdating,
    AsyncInThreads,
    AsyncBusy,
    AsyncStreaming,
    AsyncLongStatement,
)


def _declare(kind: type[steps.Step], **options: object) -> type[workflows.Workflow]:
    """Declare a workflow of one such step, with options for it, under a name in this module."""
    name = kind.__name__ + "".join(word.title() for word in options)
    step = type(f"{name}Step", (kind,), {"__module__": __name__, **options})
    workflow = type(
        name + "Workflow", (workflows.Workflow,), {"__module__": __name__, "DIGRAPH": {steps.__start__: [step]}}
    )
    globals().update({step.__name__: step, workflow.__name__: workflow})
    return workflow


TIMED = [_declare(kind, timeout=0.03) for kind in KINDS] + [
    _declare(kind, timeout=0.03, atomic=True)
    for kind in (Updating, Nesting, Reading, LongStatement, Logging, AsyncUpdating, AsyncInThreads)
]
CANCELED = [_declare(kind) for kind in KINDS] + [
    _declare(kind, atomic=True) for kind in (Updating, Nesting, Logging, AsyncUpdating)
]


class Write(steps.Step):
    def execute(self, _input=None):
        EXECUTED[f"{self.idempotency_key} {self.attempt}"] += 1
        self.log.info("writing")
        with transaction.atomic():
            Group.objects.create(name=f"{self.job.pk} first")
        return self.job.pk


class WriteAtomically(steps.Step):
    atomic = True

    def execute(self, job_id):
        EXECUTED[f"{self.idempotency_key} {self.attempt}"] += 1
        slow_logger.info("writing")
        Group.objects.create(name=f"{job_id} second")
        return job_id


class Following(workflows.Workflow):
    """The next job on the thread: all that it does must be in the database when it says so."""

    DIGRAPH = {steps.__start__: [Write], Write: [WriteAtomically]}
