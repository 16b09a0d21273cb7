"""A workflow whose only step asks for secrets of every kind, and notes what it is given."""

import logging
from typing import Any

from pydantic import BaseModel, Secret, SecretStr

from django_wfe import steps, workflows
from tests.support.forms.secret_schemas import Login, Plain

GIVEN: list[Any] = []
"""What the step was given, to be looked at by tests; a test clears it first."""

BROKEN: list[bool] = []
"""Whether the step fails; a test clears it."""

logger = logging.getLogger("tests.secrets")


class Credentials(BaseModel):
    """What the step asks for."""

    user: str
    password: SecretStr
    pin: Secret[int]
    token: Plain
    login: Login
    logins: list[Login] = []
    codes: dict[str, SecretStr] = {}
    default: SecretStr = SecretStr("by default")


class _Answer(BaseModel):
    number: int


class SignIn(steps.Step):
    """Signs in somewhere."""

    UserInputSchema = Credentials

    def execute(self, _input=None, external_input=None):
        GIVEN.append(self.external_input_model)
        self.log.info("signing in with %s", external_input["password"])
        if BROKEN:
            # What was answered is not a number, and pydantic's text quotes it.
            _Answer.model_validate({"nothing": external_input["password"].get_secret_value()})
        return {"user": external_input["user"]}


class Tell(steps.Step):
    """Looks at what came before, as any step may."""

    def execute(self, _input=None):
        return self.job.storage["data"][1]["external_data"]


class SigningIn(workflows.Workflow):
    """Starts with secrets."""

    DIGRAPH = {steps.__start__: [SignIn], SignIn: [Tell]}


class Use(steps.Step):
    """Reads what the job started with, hands on what it got, and fails where it is told to."""

    def execute(self, _input=None):
        GIVEN.append(self.job_input)
        self.log.info("got %s", _input)
        if BROKEN:
            _Answer.model_validate({"nothing": self.job_input.password.get_secret_value()})
        return {**_input, "more": 1}


class StartingWithSecrets(workflows.Workflow):
    """Starts with secrets as its own input."""

    InputSchema = Credentials
    DIGRAPH = {steps.__start__: [Use]}
