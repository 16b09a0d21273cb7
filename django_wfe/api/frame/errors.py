"""What the engine raises, as HTTP responses: the one place that says which exception means which status."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydantic import ValidationError as InvalidInput
from rest_framework import status
from rest_framework.exceptions import ValidationError as InvalidRequest
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler, set_rollback

from django_wfe.definition.texts import make_storable
from django_wfe.engine.errors.database_trouble import explain_database_error
from django_wfe.engine.errors.invalid_input import list_problems
from django_wfe.engine.inputs.job_input import is_about_job_input
from django_wfe.exceptions import (
    CodeNotLoaded,
    ContextFailed,
    InputCheckFailed,
    InvalidTransition,
    InvalidWorkflow,
    LargeValueUnavailable,
    NotEncodable,
    OtherInput,
    PermissionRequired,
    UnknownBulkRun,
    UnknownJob,
    UnknownWorkflow,
    VerbFailed,
    WFEException,
    WorkflowDeleted,
    WrongState,
)

logger = logging.getLogger("django_wfe.api")

STATUSES: tuple[tuple[type[WFEException], int], ...] = (
    (WrongState, status.HTTP_409_CONFLICT),
    (OtherInput, status.HTTP_409_CONFLICT),
    (WorkflowDeleted, status.HTTP_400_BAD_REQUEST),
    (UnknownWorkflow, status.HTTP_400_BAD_REQUEST),
    (InvalidWorkflow, status.HTTP_400_BAD_REQUEST),
    (UnknownJob, status.HTTP_404_NOT_FOUND),
    (UnknownBulkRun, status.HTTP_404_NOT_FOUND),
    (PermissionRequired, status.HTTP_403_FORBIDDEN),
    (InputCheckFailed, status.HTTP_422_UNPROCESSABLE_ENTITY),
    (NotEncodable, status.HTTP_422_UNPROCESSABLE_ENTITY),
    (InvalidTransition, status.HTTP_422_UNPROCESSABLE_ENTITY),
    # The job goes on waiting, and the same request succeeds once this server has the code.
    (CodeNotLoaded, status.HTTP_503_SERVICE_UNAVAILABLE),
    # The same request succeeds once the storage works again.
    (LargeValueUnavailable, status.HTTP_503_SERVICE_UNAVAILABLE),
    (VerbFailed, status.HTTP_500_INTERNAL_SERVER_ERROR),
    (ContextFailed, status.HTTP_500_INTERNAL_SERVER_ERROR),
    (WFEException, status.HTTP_400_BAD_REQUEST),
)
"""Which status answers which exception; the first class that fits counts."""

ERRORS_LISTED = 100
"""So many problems of an input an answer tells of, in the order of the input."""


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response for what a view raised, or None for what is a fault of the server.

    Every body has "detail", a sentence. Where fields are at fault there is "errors" too: ``{field: [messages]}``, the
    field of a nested value being a path such as ``items.0.price``. Where a state is in the way there is "state", its
    code: "detail" names it as people read it, in the language of the request. Where other input is in the way there is
    "fields", the names of what differs.
    """
    response = _answer(error, context)
    if response is not None:
        # It may quote what was sent, and half of a surrogate pair cannot be sent back.
        response.data = _make_sendable(response.data)
    return response


def _answer(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, InvalidInput):
        return _respond(status.HTTP_422_UNPROCESSABLE_ENTITY, _("The input is not valid."), list_input_errors(error))
    if isinstance(error, InvalidRequest):
        return _respond(status.HTTP_400_BAD_REQUEST, _("The request is not valid."), _list_request_errors(error))
    if isinstance(error, RequestDataTooBig):
        return _respond(status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, _("The body is too large."))
    if isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        return _respond(status.HTTP_400_BAD_REQUEST, _("The form has too many fields."))
    if isinstance(error, WFEException):
        code = next(code for kind, code in STATUSES if isinstance(error, kind))
        more: dict[str, Any] = {}
        if isinstance(error, WrongState) and error.state:
            more["state"] = error.state
        if isinstance(error, OtherInput):
            more["fields"] = list(error.fields)
        return _respond(code, str(error), **more)
    trouble = explain_database_error(error)
    if trouble is not None:
        # What a server says that does not answer names hosts and users, which are not for every client.
        text = str(trouble) if trouble.is_about_tables else _("The database does not answer now.")
        logger.error("%s", trouble, exc_info=error)
        return _respond(status.HTTP_503_SERVICE_UNAVAILABLE, text)
    return exception_handler(error, context)


def list_input_errors(error: InvalidInput) -> dict[str, list[str]]:
    """Return pydantic's messages by field path; those about the input as a whole under "non_field_errors".

    What a job was to start with is the field ``input`` of the body, so its paths begin with that.
    """
    errors: dict[str, list[str]] = {}
    above = "input" if is_about_job_input(error) else ""
    for problem in list_problems(error, ERRORS_LISTED):
        place = ".".join(filter(None, (above, problem.place)))
        errors.setdefault(place or api_settings.NON_FIELD_ERRORS_KEY, []).append(problem.message)
    left = error.error_count() - ERRORS_LISTED
    if left > 0:
        sentence = ngettext("%(count)s more problem is not listed.", "%(count)s more problems are not listed.", left)
        errors.setdefault(api_settings.NON_FIELD_ERRORS_KEY, []).append(sentence % {"count": left})
    return errors


def _list_request_errors(error: InvalidRequest) -> dict[str, Any]:
    detail: Any = error.detail
    return detail if isinstance(detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: detail}


def _respond(code: int, detail: str, errors: dict[str, Any] | None = None, **more: Any) -> Response:
    # With ATOMIC_REQUESTS the answer to an error must not commit half of what was asked.
    set_rollback()
    body: dict[str, Any] = {"detail": detail, **more}
    if errors is not None:
        body["errors"] = errors
    return Response(body, status=code)


def _make_sendable(data: Any) -> Any:
    if isinstance(data, dict):
        return {_make_sendable(key): _make_sendable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_make_sendable(value) for value in data]
    return make_storable(data) if isinstance(data, str) else data
