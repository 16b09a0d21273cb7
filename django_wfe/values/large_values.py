"""Values that are too large for a row: their JSON text is in a file, and the row has a reference to it.

A reference is an object with the one name ``MARK``. Nobody can type one: a value that begins with it is refused.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage, storages

from django_wfe.conf import settings
from django_wfe.exceptions import LargeValueUnavailable
from django_wfe.values.encoding import REFERENCE_MARK as MARK
from django_wfe.values.sealing import holds_sealed
from django_wfe.values.sentences import gettext as _

LONGEST_REFERENCE = 500
"""No reference is longer, as JSON text, however it is indented."""

WRAPPER = "value"
"""The name under which an edited input stands in its row."""

_BYTES_OF_A_CHARACTER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A file that holds a value's JSON text, and what can be said of the text without reading it.

    Attributes:
        id: of its row among the large values.
        bytes, characters: how long the text is.
        is_sealed: whether secrets stand in it, encrypted.
    """

    id: str
    sha256: str
    bytes: int
    characters: int
    is_sealed: bool

    @property
    def file_name(self) -> str:
        """The name of the file in the storage."""
        return name_file(self.id, self.sha256)

    def write(self) -> str:
        """Return what stands in the row."""
        return json.dumps({MARK: asdict(self)}, separators=(",", ":"))

    def load_text(self) -> str:
        """Return the value's JSON text.

        Raises:
            LargeValueUnavailable: the storage does not answer; or, with ``is_lost``, the file is gone or another.
        """
        with _opened(self) as file:
            content: bytes = file.read()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise LargeValueUnavailable(
                _("The file %(file)s in the storage “%(alias)s” is not what was written. Restore it from a backup.")
                % {"file": self.file_name, "alias": settings.storage},
                is_lost=True,
            )
        return content.decode()

    def load_beginning(self, characters: int) -> str:
        """Return the first characters of the text.

        Raises:
            LargeValueUnavailable: as of ``load_text``.
        """
        with _opened(self) as file:
            content: bytes = file.read(characters * _BYTES_OF_A_CHARACTER)
        return content.decode(errors="ignore")[:characters]

    def load(self) -> Any:
        """Return the value. Raises ``LargeValueUnavailable`` as ``load_text`` does."""
        return json.loads(self.load_text())


def name_file(id_: str, sha256: str) -> str:
    """Return the name of a file in the storage: in one of 256 folders, for those file systems that mind."""
    return f"{sha256[:2]}/{sha256}-{id_}.json"


def build_reference(text: str) -> Reference:
    """Return a reference to a file that is still to be written, with this text."""
    content = text.encode()
    return Reference(
        id=uuid.uuid4().hex,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        characters=len(text),
        is_sealed=holds_sealed(text),
    )


def read_reference(data: Any) -> Reference | None:
    """Return the reference that a row has in the place of a value, or None if this is the value itself."""
    if type(data) is not dict or len(data) != 1 or MARK not in data:
        return None
    return Reference(**data[MARK])


def read_reference_text(text: str | None, *, is_wrapped: bool = False) -> Reference | None:
    """Return likewise what stands in a row's JSON text, indented or not.

    Args:
        is_wrapped: whether the value stands under the name "value", as in the column of edited inputs. Only there: in
            other columns that is what a step returned, or a person typed.
    """
    if text is None or len(text) > LONGEST_REFERENCE or MARK not in text:
        return None
    try:
        data = json.loads(text)
    except ValueError:
        return None  # the beginning of a longer text
    return read_reference(data.get(WRAPPER) if is_wrapped and type(data) is dict else data)


def load_whole(text: str | None, *, is_wrapped: bool = False) -> str | None:
    """Return the JSON text of a row's column with what is in a file in its place.

    Raises:
        LargeValueUnavailable: as of ``Reference.load_text``.
    """
    reference = read_reference_text(text, is_wrapped=is_wrapped)
    if reference is None:
        return text
    whole = reference.load_text()
    return f'{{"{WRAPPER}": {whole}}}' if is_wrapped else whole


def resolve(data: Any) -> Any:
    """Return the value that a row stands for: itself, or what is in the file that it refers to.

    Raises:
        LargeValueUnavailable: as of ``Reference.load_text``.
    """
    reference = read_reference(data)
    return data if reference is None else reference.load()


def resolve_wrapped(data: Any) -> Any:
    """Return likewise what an edited input is."""
    return {WRAPPER: resolve(data[WRAPPER])} if type(data) is dict and WRAPPER in data else data


def get_storage() -> Storage:
    """Return the storage of large values.

    Raises:
        LargeValueUnavailable: there is none, or it cannot be built.
    """
    if not settings.storage:
        raise LargeValueUnavailable(
            _("A value is in a storage, and this process knows none: add the one that WFE_STORAGE names to STORAGES.")
        )
    try:
        return storages[settings.storage]
    except (ImproperlyConfigured, ImportError) as error:
        raise LargeValueUnavailable(
            _("The storage “%(alias)s” cannot be used: %(error)s") % {"alias": settings.storage, "error": error}
        ) from error


def explain_storage_error(error: Exception, file_name: str) -> LargeValueUnavailable:
    """Return what to tell of what a storage raised: any class, since each backend has its own."""
    values = {"file": file_name, "alias": settings.storage, "error": f"{type(error).__name__}: {error}"}
    if isinstance(error, FileNotFoundError):
        message = _("The file %(file)s is not in the storage “%(alias)s”. Restore it from a backup.") % values
        return LargeValueUnavailable(message, is_lost=True)
    return LargeValueUnavailable(_("The storage “%(alias)s” does not work for %(file)s: %(error)s") % values)


@contextmanager
def _opened(reference: Reference) -> Iterator[Any]:
    """Open a file of the storage for reading; what the storage raises meanwhile is explained."""
    storage = get_storage()
    try:
        with storage.open(reference.file_name, "rb") as file:
            yield file
    except Exception as error:  # each backend has classes of its own
        raise explain_storage_error(error, reference.file_name) from error
