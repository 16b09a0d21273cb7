"""A workflow whose step runs async code by async_to_sync."""

from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from pydantic import BaseModel

from django_wfe import steps, workflows


class WriteGroup(steps.Step):
    """Writes a row by the async ORM in its own transaction, and fails afterwards if told so."""

    atomic = True

    def execute(self, _input: Any = None) -> str:
        return async_to_sync(self._write)(self.job_input.name)

    async def _write(self, name: str) -> str:
        await Group.objects.acreate(name=name)
        print(f"wrote {name}")
        if name == "refused":
            raise ValueError(name)
        return name


class Writing(workflows.Workflow):
    class InputSchema(BaseModel):
        name: str

    DIGRAPH = {steps.__start__: [WriteGroup]}
