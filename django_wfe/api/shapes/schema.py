"""The OpenAPI description. With drf-spectacular installed the views carry it; without, they work the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
SerializerClass = TypeVar("SerializerClass", bound=type[Any])

PREFIX = "WFE"
"""Begins the names in the description, so that they do not meet those of the project: many have a Job or a Step."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response of a call: what its body holds (a serializer, or a type) and in which media type."""

    description: str
    body: Any = None
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a call, in the query string or in the path."""

    name: str
    description: str
    kind: type = str
    many: bool = False
    in_path: bool = False
    choices: Sequence[str] | None = None


def describe(
    operation_id: str,
    summary: str,
    *,
    answers: Mapping[int, Answer],
    body: Any = None,
    parameters: Sequence[Parameter] = (),
    tag: str,
) -> Callable[[Function], Function]:
    """Describe one method of a view. Its docstring is the description.

    Args:
        operation_id: the name of the call in generated clients, after "wfe_"; unique.
        body: a serializer class, or a raw schema as ``{media type: schema}``; None for no body.
    """
    try:
        from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
    except ImportError:
        return lambda function: function
    decorate: Callable[[Function], Function] = extend_schema(
        operation_id=PREFIX.lower() + "_" + operation_id,
        summary=summary,
        tags=[tag],
        request=body,
        parameters=[
            OpenApiParameter(
                parameter.name,
                type=parameter.kind,
                location=OpenApiParameter.PATH if parameter.in_path else OpenApiParameter.QUERY,
                description=parameter.description,
                many=parameter.many,
                enum=parameter.choices,
            )
            for parameter in parameters
        ],
        responses={
            (code, answer.media_type) if answer.media_type else code: OpenApiResponse(answer.body, answer.description)
            for code, answer in answers.items()
        },
    )
    return decorate


def component(serializer: SerializerClass) -> SerializerClass:
    """Name a serializer in the description."""
    try:
        from drf_spectacular.utils import extend_schema_serializer
    except ImportError:
        return serializer
    name = PREFIX + serializer.__name__.removesuffix("Serializer")
    decorate: Callable[[SerializerClass], SerializerClass] = extend_schema_serializer(component_name=name)
    return decorate(serializer)
