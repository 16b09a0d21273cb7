"""Catalogues of translations without the gettext tools: reads .po files, writes .mo files, invents a language."""

import ast
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LINE = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (".*")')
_PLACEHOLDER = re.compile(r"%\([a-z_]+\)[a-z]")
_FIXED = re.compile(r"(%\([a-z_]+\)[a-z]|%[a-z]|%%|\{[a-z_]*\}|<[^>]*>|&[a-z]+;)")
_ACCENTS = str.maketrans("AEIOUYaeiouycnsz", "ÂÊÎÔÛŶâêîôûŷçñšž")
_HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"


@dataclass(frozen=True)
class Message:
    """One entry of a catalogue; ``translations`` has one text, or one for each plural form."""

    context: str
    text: str
    plural: str
    translations: tuple[str, ...]
    is_fuzzy: bool = False

    @property
    def key(self) -> str:
        """What gettext looks it up by."""
        return f"{self.context}\x04{self.text}" if self.context else self.text

    @property
    def placeholders(self) -> set[str]:
        """What is filled in, of the text and its plural."""
        return find_placeholders(self.text) | find_placeholders(self.plural)


@dataclass
class _Entry:
    parts: dict[str, str] = field(default_factory=dict)
    is_fuzzy: bool = False


def find_placeholders(text: str) -> set[str]:
    """Give what is filled into a text, such as "%(count)s"."""
    return set(_PLACEHOLDER.findall(text))


def read_messages(path: Path) -> list[Message]:
    """Read a .po file, without its header and what is commented out."""
    return [_build_message(entry) for entry in _read_entries(path.read_text(encoding="utf-8")) if entry.parts["msgid"]]


def invent_translation(text: str) -> str:
    """Translate into a language of the tests: in brackets, with accents; what is filled in and markup as it is."""
    pieces = _FIXED.split(text)
    return f"⟦{''.join(piece if index % 2 else piece.translate(_ACCENTS) for index, piece in enumerate(pieces))}⟧"


def write_invented(messages: Iterable[Message], path: Path) -> None:
    """Write the invented translation of messages as a .mo file."""
    texts = {"": _HEADER}
    for message in messages:
        if message.plural:
            forms = (invent_translation(message.text), invent_translation(message.plural))
            texts[f"{message.key}\0{message.plural}"] = "\0".join(forms)
        else:
            texts[message.key] = invent_translation(message.text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_build_mo(texts))


def _read_entries(text: str) -> Iterator[_Entry]:
    for block in re.split(r"\n{2,}", text):
        entry, name = _Entry(), ""
        for line in block.splitlines():
            match = _LINE.fullmatch(line)
            if match:
                name = match[1]
                entry.parts[name] = ast.literal_eval(match[2])
            elif line.startswith('"'):
                entry.parts[name] += ast.literal_eval(line)
            elif line.startswith("#,") and "fuzzy" in line:
                entry.is_fuzzy = True
        if entry.parts:
            yield entry


def _build_message(entry: _Entry) -> Message:
    translations = tuple(text for name, text in sorted(entry.parts.items()) if name.startswith("msgstr"))
    plural = entry.parts.get("msgid_plural", "")
    return Message(entry.parts.get("msgctxt", ""), entry.parts["msgid"], plural, translations, entry.is_fuzzy)


def _build_mo(texts: Mapping[str, str]) -> bytes:
    """Write the binary form that gettext describes: two tables of lengths and places, then the texts."""
    pairs = sorted((key.encode(), text.encode()) for key, text in texts.items())
    place = 28 + 16 * len(pairs)
    tables, body = [b"", b""], b""
    for column in (0, 1):
        for pair in pairs:
            tables[column] += struct.pack("<II", len(pair[column]), place + len(body))
            body += pair[column] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0) + tables[0] + tables[1] + body
