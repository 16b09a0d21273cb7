"""Workflows of a project with a schema for each tenant: what they read and write is the tenant's."""

import time
from typing import Any

from django.db import connection
from pydantic import BaseModel, field_validator

from django_wfe import steps, workflows

SEEN: list[Any] = []
WORLD: dict[str, Any] = {}


def list_orders() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM tenant_order ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


def read_search_path() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        return str(cursor.fetchone()[0])


class Book(steps.Step):
    """Writes into the tenant's table."""

    def execute(self, _input=None):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO tenant_order VALUES (%s)", [f"job {self.job.pk}"])
        if WORLD.get("hangs"):
            while True:
                time.sleep(0.01)
        return


class BookAtOnce(Book):
    atomic = True


class BookFor(Book):
    timeout = 0.3


class Choose(steps.Step):
    """Asks for one of the tenant's orders."""

    class UserInputSchema(BaseModel):
        order: str

        @field_validator("order")
        @classmethod
        def is_known(cls, order: str) -> str:
            if order not in list_orders():
                raise ValueError(f"use one of {list_orders()}")
            return order

    def execute(self, _input=None, external_input=None):
        SEEN.append((external_input["order"], read_search_path()))


class Booking(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Book], Book: [Choose], Choose: []}


class BookingAtOnce(workflows.Workflow):
    DIGRAPH = {steps.__start__: [BookAtOnce]}


class BookingFor(workflows.Workflow):
    DIGRAPH = {steps.__start__: [BookFor]}
