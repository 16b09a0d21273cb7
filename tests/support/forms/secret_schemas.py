"""A schema with a secret in every way that pydantic offers, and input that fills each of them."""

from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    WithJsonSchema,
)


class Own(SecretStr):
    """A secret of the project's own."""


class OwnNumber(Secret[int]):
    """Another one, whose JSON Schema says nothing of it."""


class Login(BaseModel):
    """A nested model with a secret."""

    user: str = "ada"
    password: SecretStr


class Account(BaseModel):
    """A model that holds one which holds a secret, and others of its own kind."""

    login: Login
    below: list["Account"] = []


class Phrase(RootModel[SecretStr]):
    """A secret that is a model."""


class Extra(BaseModel):
    """A model that takes any name."""

    model_config = ConfigDict(extra="allow")
    pin: SecretStr


Plain = Annotated[str, Field(json_schema_extra={"format": "password"})]

KINDS: dict[str, tuple[Any, Any, Any]] = {
    "SecretStr": (SecretStr, "canary", "M"),
    "SecretBytes": (SecretBytes, "canary", "M"),
    "a subclass": (Own, "canary", "M"),
    "Secret of a number": (Secret[int], 7351, "M"),
    "a subclass of it": (OwnNumber, 7351, "M"),
    "Secret of a list": (Secret[list[int]], [7351], "M"),
    "Secret of a model": (Secret[Login], {"user": "ada", "password": "canary"}, "M"),
    "or None": (SecretStr | None, "canary", "M"),
    "or a number": (SecretStr | int, "canary", "M"),
    "a password by its format": (Plain, "canary", "M"),
    "writeOnly": (Annotated[int, Field(json_schema_extra={"writeOnly": True})], 7351, "M"),
    "another JSON Schema": (Annotated[SecretStr, WithJsonSchema({"type": "string"})], "canary", "M"),
    "another serializer": (Annotated[Secret[int], PlainSerializer(int)], 7351, "M"),
    "a root model": (Phrase, "canary", "M"),
    "in a list": (list[SecretStr], ["canary"], ["M"]),
    "numbers in a list": (list[Secret[int]], [7351], ["M"]),
    "a list that is one": (Annotated[list[str], Field(json_schema_extra={"writeOnly": True})], ["canary"], "M"),
    "in a tuple": (tuple[int, SecretStr], [1, "canary"], [1, "M"]),
    "in a dict": (dict[str, SecretStr], {"a": "canary"}, {"a": "M"}),
    "the names of a dict": (dict[SecretStr, int], {"canary": 1}, "M"),
    "in JSON": (Json[Login], '{"password": "canary"}', "M"),
    "in a model": (Login, {"user": "ada", "password": "canary"}, {"user": "ada", "password": "M"}),
    "an unknown name beside it": (
        Login,
        {"pasword": "canary", "password": "x"},
        {"pasword": "M", "password": "M"},
    ),
    "any name beside it": (Extra, {"pin": "canary", "more": "canary"}, {"pin": "M", "more": "M"}),
    "two models deep": (
        Account,
        {"login": {"password": "canary"}, "below": [{"login": {"password": "canary"}, "below": []}]},
        {"login": {"password": "M"}, "below": [{"login": {"password": "M"}, "below": []}]},
    ),
    "what is not a model in its place": (Login, "ada:canary", "M"),
    "a model or text": (Login | str, "ada:canary", "M"),
}
"""By name: a type, JSON for it, and what is shown of that, with "M" for the mask."""


class Aliased(BaseModel):
    """Secrets under other names."""

    one: SecretStr = Field(alias="uno")
    two: SecretStr = Field(validation_alias=AliasChoices("dos", "zwei"))
    three: SecretStr = Field(validation_alias=AliasPath("numbers", "tres"))
    shown: int = 1
