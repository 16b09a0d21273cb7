"""A storage for large values of a test's own, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from django_wfe.models import LargeValue, StepRun
from django_wfe.values.large_values import Reference, read_reference

INLINE = 1_000
"""Bytes that stay in the row, in these tests."""


@pytest.fixture
def storage(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """Keep what is larger than ``INLINE`` in files of a folder, and give the folder."""
    folder = tmp_path / "large"
    settings.STORAGES = {
        **settings.STORAGES,
        "django_wfe": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder)},
        },
    }
    settings.WFE_INLINE_BYTES = INLINE
    return folder


def list_files(folder: Path) -> set[str]:
    """Return the names of the files in the storage."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def list_references() -> list[Reference]:
    """Return the references that stand in the rows of all step runs."""
    columns = StepRun.objects.values_list("result", "external_data", "edited_input")
    found = []
    for result, given, edited in columns:
        values = (result, given, edited["value"] if isinstance(edited, dict) else None)
        found += [reference for reference in map(read_reference, values) if reference is not None]
    return found


def find_trouble(folder: Path) -> list[str]:
    """Return what is wrong between rows and files: a reference without its file, a file that nothing refers to."""
    files, referred = list_files(folder), {reference.file_name for reference in list_references()}
    rows = LargeValue.objects.values_list("id", "sha256")
    known = {f"{sha256[:2]}/{sha256}-{pk.hex}.json" for pk, sha256 in rows}
    return [
        *(f"{name} is referred to and not there" for name in sorted(referred - files)),
        *(f"{name} is there and not referred to" for name in sorted(files - referred)),
        *(f"{name} has no row" for name in sorted(files - known)),
        *(f"{name} has a row and no file" for name in sorted(known - files)),
    ]
