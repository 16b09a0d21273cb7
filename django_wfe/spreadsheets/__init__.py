"""Files of rows for a pydantic model: CSV, XLSX and JSON, read as they show themselves, or refused with the cell named.

``read_file`` is the way in. A file is judged while it is read: what is too large, too wide or too deep stops it, so
that none takes much more memory than its bounds allow.
"""

from django_wfe.spreadsheets.bounds import MAX_BYTES, UnreadableFile
from django_wfe.spreadsheets.column_list import Column
from django_wfe.spreadsheets.columns import Columns
from django_wfe.spreadsheets.reading import ReadFile, list_formats, read_file

__all__ = ["MAX_BYTES", "Column", "Columns", "ReadFile", "UnreadableFile", "list_formats", "read_file"]
