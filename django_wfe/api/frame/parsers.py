"""Reading request bodies: bounded before they are parsed, in whichever form they come.

For DRF's own parsers of JSON and forms the whole body is read first; so these are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from django.conf import settings as django_settings
from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import parsers, renderers, status
from rest_framework.exceptions import APIException, ParseError

from django_wfe.conf import settings
from django_wfe.values.json_text import UnreadableJson, read_json

LEAST_BODY_BYTES = 1_048_576
WRITTEN_OUT = 4
"""A body may be so many times the largest value: JSON can write a letter with six of its own."""

TEXT_ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252"})
"""Other "charsets" of Python would unpack a small body to a huge one, or take minutes."""


class BodyTooLarge(APIException):
    """The body is over the limit."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class BoundedJSONParser(parsers.BaseParser):
    """JSON of a bounded size, depth and number of values."""

    media_type = "application/json"
    renderer_class = renderers.JSONRenderer

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = _read_body(stream, parser_context)
        try:
            return read_json(body.decode(_get_encoding(parser_context)))
        except UnicodeDecodeError as error:
            raise ParseError(_("Not valid JSON: %(reason)s.") % {"reason": error}) from error
        except UnreadableJson as error:
            raise ParseError(str(error)) from error


class BoundedFormParser(parsers.BaseParser):
    """A form of a bounded size."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return QueryDict(_read_body(stream, parser_context), encoding=_get_encoding(parser_context))


class BoundedMultiPartParser(parsers.MultiPartParser):
    """A form in parts, of a bounded size. No call takes files."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        parsed = super().parse(BytesIO(_read_body(stream, parser_context)), media_type, parser_context)
        if parsed.files:
            raise ParseError(_("This call takes no files: %(names)s.") % {"names": ", ".join(sorted(parsed.files))})
        return parsed


FORM_PARSERS = (BoundedJSONParser, BoundedFormParser, BoundedMultiPartParser)
"""Of the calls that take a form too."""


def get_most_body_bytes() -> int:
    """Return how many bytes a body may have.

    That is four times ``WFE_MAX_RESULT_BYTES``, 1 MiB at least, and no more than ``DATA_UPLOAD_MAX_MEMORY_SIZE``.
    """
    most = max(WRITTEN_OUT * settings.find_limit_of_values()[1], LEAST_BODY_BYTES)
    allowed = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return most if allowed is None else min(most, allowed)


def _read_body(stream: IO[Any], parser_context: Mapping[str, Any] | None) -> bytes:
    encoding = _get_encoding(parser_context)
    if encoding not in TEXT_ENCODINGS:
        raise ParseError(_("The charset %(charset)r is not read here: send UTF-8.") % {"charset": encoding[:40]})
    most = get_most_body_bytes()
    body: bytes = stream.read(most + 1)
    if len(body) > most:
        raise BodyTooLarge(_("The body is too large: at most %(most)s bytes are read.") % {"most": most})
    return body


def _get_encoding(parser_context: Mapping[str, Any] | None) -> str:
    return str((parser_context or {}).get("encoding") or "utf-8").lower()
