"""Reading JSON: a list of objects, one for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_wfe.spreadsheets.bounds import MAX_CELLS, MAX_CELLS_OF_ROW, Meter, UnreadableFile
from django_wfe.spreadsheets.columns import count_values
from django_wfe.values import json_text


def read_json(content: bytes) -> list[Mapping[str, Any]]:
    """Return the objects of a JSON file.

    Raises:
        UnreadableFile: it is not a list of objects, or too much of it.
    """
    try:
        # Names are not counted there; those of the file's rows are, below.
        data = json_text.read_json(content.decode("utf-8-sig"), most_values=MAX_CELLS)
    except UnicodeDecodeError:
        raise UnreadableFile(_("Not a UTF-8 text.")) from None
    except json_text.UnreadableJson as error:
        raise UnreadableFile(str(error)) from None
    if not isinstance(data, list) or not all(isinstance(row, Mapping) for row in data):
        raise UnreadableFile(_("This JSON is not a list of objects. Write [{…}, {…}], an object for each job."))
    meter, total = Meter(), 0
    for number, row in enumerate(data, start=1):
        meter.count_row()
        count = count_values(row, MAX_CELLS_OF_ROW)
        total += count
        if count > MAX_CELLS_OF_ROW:
            raise UnreadableFile(
                _("Object %(number)s holds more than %(limit)s values.")
                % {"number": number, "limit": number_format(MAX_CELLS_OF_ROW, force_grouping=True)}
            )
    if total > MAX_CELLS:
        raise UnreadableFile(
            _("It holds more than %(limit)s values. Split it.")
            % {"limit": number_format(MAX_CELLS, force_grouping=True)}
        )
    return data
