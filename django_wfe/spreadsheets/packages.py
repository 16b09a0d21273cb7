"""The parts of an XLSX file, unpacked and parsed in a stream that stops where it becomes too much.

A workbook is a ZIP file of XML. Whoever builds trees of it first and judges then needs gigabytes for some kilobytes.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext as _

from django_wfe.spreadsheets.bounds import MAX_UNPACKED_BYTES, UnreadableFile

CHUNK = 65_536
MAX_TOKEN = 1_000_000
"""How many bytes one tag of XML may take."""

MAX_TAGS = 2_000_000
"""How many tags are read of a workbook, each when it opens and when it closes: a matter of seconds."""

MAX_NESTING = 50
MAX_CELL_TEXT = 32_767
"""How many characters a cell of a workbook can hold, which is what spreadsheets have agreed on."""

OPENED, CLOSED = "opened", "closed"
Event = tuple[str, str, dict[str, str], str]
"""OPENED, a tag and its attributes; or CLOSED, a tag and the text since the last tag. Names without their namespace."""

_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, expat.ExpatError),
    *(EOFError, OSError, ValueError, LookupError, NotImplementedError, RuntimeError),
)
"""What the packages raise for damaged ZIP and XML."""


class Package:
    """The parts of a workbook. All that is read of it counts against one bound."""

    def __init__(self, content: bytes) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
        except _DAMAGED as error:
            raise _build_unreadable(type(error).__name__) from None
        self._left = MAX_UNPACKED_BYTES
        self._tags_left = MAX_TAGS

    def find_related(self, part: str) -> dict[str, tuple[str, str]]:
        """Return the parts that a part refers to: their kind and their name by the id that it uses for them."""
        directory, name = posixpath.split(part)
        related = {}
        for event, tag, attributes, _text in self.read(f"{directory}/_rels/{name}.rels".lstrip("/")):
            if event == OPENED and tag == "Relationship" and attributes.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", directory, attributes.get("Target", "")))
                kind = posixpath.basename(attributes.get("Type", ""))
                related[attributes.get("Id", "")] = (kind, target.lstrip("/"))
        return related

    def read(self, part: str) -> Iterator[Event]:
        """Yield the tags of a part as they come; nothing for one that is not there.

        Raises:
            UnreadableFile: it is not XML, or more than is read.
        """
        try:
            entry = self._archive.getinfo(part)
        except KeyError:
            return
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise UnreadableFile(
                _("This workbook is packed or locked in a way that cannot be read. Save it without a password.")
            )
        try:
            with self._archive.open(entry) as stream:
                yield from self._parse(stream)
        except _DAMAGED as error:
            raise _build_unreadable(type(error).__name__) from None

    def _parse(self, stream: IO[bytes]) -> Iterator[Event]:
        reader = _Reader()
        while chunk := stream.read(CHUNK):
            self._left -= len(chunk)
            events = reader.feed(chunk)
            self._tags_left -= len(events)
            if self._left < 0 or self._tags_left < 0:
                raise UnreadableFile(_("This workbook is too large when it is unpacked. Split it."))
            yield from events
        yield from reader.feed(b"", is_last=True)


class _Reader:
    """Turns chunks of XML into events."""

    def __init__(self) -> None:
        self._parser: Any = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.CharacterDataHandler = self._add_text
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._events: list[Event] = []
        self._text: list[str] = []
        self._length = self._depth = self._fed = 0

    def feed(self, chunk: bytes, *, is_last: bool = False) -> list[Event]:
        self._events = []
        self._parser.Parse(chunk, is_last)
        self._fed += len(chunk)
        if self._fed - self._parser.CurrentByteIndex > MAX_TOKEN:
            raise _build_unreadable(_("a tag without end"))
        return self._events

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise _build_unreadable(_("tags in tags without end"))
        self._text, self._length = [], 0
        named = {name.rpartition(" ")[2]: value for name, value in attributes.items()}
        self._events.append((OPENED, tag.rpartition(" ")[2], named, ""))

    def _close(self, tag: str) -> None:
        self._depth -= 1
        self._events.append((CLOSED, tag.rpartition(" ")[2], {}, "".join(self._text)))
        self._text, self._length = [], 0

    def _add_text(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_CELL_TEXT:
            raise UnreadableFile(
                _("A cell of this workbook holds more than %(limit)s characters.") % {"limit": f"{MAX_CELL_TEXT:,}"}
            )
        self._text.append(text)

    def _refuse_doctype(self, *args: Any) -> None:
        raise _build_unreadable("DOCTYPE")


def _build_unreadable(reason: str) -> UnreadableFile:
    return UnreadableFile(_("This workbook cannot be read (%(kind)s).") % {"kind": reason})
