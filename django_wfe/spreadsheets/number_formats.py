"""What a spreadsheet's cell shows of its number: the number format decides, not the value alone."""

from __future__ import annotations

import datetime
import re
from decimal import ROUND_HALF_UP, Decimal

from django.utils.duration import duration_iso_string
from django.utils.translation import gettext as _
from openpyxl.styles.numbers import is_date_format, is_timedelta_format
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

from django_wfe.spreadsheets.cells import Cell

DIGITS = 15
"""How many digits a spreadsheet keeps and shows of a number."""

_DRESS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_CONDITION = re.compile(r"\[[<>=]")
_NUMBER = re.compile(r"[#0?]*(,[#0?]+)*(\.[#0?]*)?")
_BARE = re.compile(r"#*0+(\.0+)?")
_CURRENCY = str.maketrans("", "", " $€£¥()+-")
_DAY = re.compile(r"(?<!d)dd?(?!d)")
_ISO_DATE = "yyyy-mm-dd"
_FALSE_LEAP_DAY = 60


def show_number(place: str, written: str, code: str, *, since_1904: bool) -> Cell:
    """Return a cell that holds a number, as its format shows it.

    Args:
        written: the number as the file has it.
        code: the number format, such as "0.00" or "dd.mm.yyyy".
        since_1904: whether the workbook counts days from 1904.
    """
    try:
        value = float(written)
        number = Decimal(written) if _is_whole(written) else Decimal(f"{value:.{DIGITS}g}")
    except (ValueError, OverflowError, ArithmeticError):
        return _refuse(place, _("it is not a number"))
    if value in (float("inf"), float("-inf")) or value != value:
        return _refuse(place, _("it is not a number"))
    if code.lower() not in ("", "general", "@") and is_date_format(code):
        return _show_moment(place, value, code, since_1904=since_1904)
    return _show_plain(place, number, code)


def _is_whole(written: str) -> bool:
    return written.lstrip("+-").isdecimal() and written.isascii() and len(written) < 400


def _show_plain(place: str, number: Decimal, code: str) -> Cell:
    plain = _write(number)
    section, is_own = _choose_section(code, number)
    bare = _DRESS.sub("", section) if section is not None else ""
    if bare.strip().lower() in ("general", "@") or not code:
        return Cell(place, plain, plain, "number")
    skeleton = bare.translate(_CURRENCY)
    if section is None or not skeleton or not _NUMBER.fullmatch(skeleton):
        return _refuse(
            place, _("it shows its number in the format “%(code)s”; show it as a plain number") % {"code": code}
        )
    places = len(skeleton.partition(".")[2])
    rounded = round_half_up(number, places)
    if rounded != number:
        return _refuse(
            place,
            _("it holds %(number)s and shows %(rounded)s; round it, or show all its digits")
            % {"number": plain, "rounded": _write(rounded)},
        )
    shown = None
    if not is_own and section == bare and _BARE.fullmatch(section):
        digits = section.partition(".")[0].count("0")
        whole, _point, rest = f"{abs(number):.{places}f}".partition(".")
        shown = ("-" if number < 0 else "") + whole.zfill(digits) + (f".{rest}" if rest else "")
    return Cell(place, plain, shown, "number")


def round_half_up(number: Decimal, places: int) -> Decimal:
    """Round as a spreadsheet does, which has no banker's rounding."""
    try:
        return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    except ArithmeticError:
        return number  # more digits than Decimal counts with: it has no places behind its point


def _choose_section(code: str, number: Decimal) -> tuple[str | None, bool]:
    """Return the part of a format that is for this number, and whether it is for others than positive ones alone.

    None if the format has conditions of its own.
    """
    if _CONDITION.search(code):
        return None, False
    sections = _split_sections(code)
    if number < 0 and len(sections) > 1:
        return sections[1], True
    if number == 0 and len(sections) > 2:
        return sections[2], True
    return sections[0], False


def _split_sections(code: str) -> list[str]:
    sections, start = [], 0
    quoted = {position for match in _DRESS.finditer(code) for position in range(*match.span())}
    for position, character in enumerate(code):
        if character == ";" and position not in quoted:
            sections.append(code[start:position])
            start = position + 1
    return [*sections, code[start:]]


def _write(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _show_moment(place: str, value: float, code: str, *, since_1904: bool) -> Cell:
    if value < 0 or (int(value) == _FALSE_LEAP_DAY and not since_1904):
        return _refuse(place, _("it shows no date that there is"))
    is_duration = is_timedelta_format(code)
    try:
        moment = from_excel(value, MAC_EPOCH if since_1904 else WINDOWS_EPOCH, timedelta=is_duration)
    except (OverflowError, ValueError):
        return _refuse(place, _("it shows no date that there is"))
    bare = _DRESS.sub("", code.partition(";")[0].replace("[", "").replace("]", "") if is_duration else code)
    bare = bare.partition(";")[0].lower()
    has_date = "y" in bare and _DAY.search(bare) is not None
    has_time, has_seconds, has_fractions = "h" in bare or is_duration, "s" in bare, "s.0" in bare
    hidden = _find_hidden(moment, has_date=has_date, has_time=has_time, has_seconds=has_seconds)
    if not hidden and not has_fractions and _get_microseconds(moment):
        hidden = _("fractions of a second")
    if hidden:
        return _refuse(
            place, _("it holds %(part)s that it does not show; show them, or take them out") % {"part": hidden}
        )
    if isinstance(moment, datetime.timedelta):
        return Cell(place, duration_iso_string(moment), None, "time")
    if isinstance(moment, datetime.datetime) and not has_time:
        text = moment.date().isoformat()
        return Cell(place, text, text if bare.strip() == _ISO_DATE else None, "time")
    text = moment.isoformat()
    is_iso = bare.replace(" ", "").replace("t", "") in (f"{_ISO_DATE}hh:mm:ss", "hh:mm:ss")
    return Cell(place, text, text.replace("T", " ") if is_iso else None, "time")


def _find_hidden(
    moment: datetime.datetime | datetime.time | datetime.timedelta,
    *,
    has_date: bool,
    has_time: bool,
    has_seconds: bool,
) -> str:
    """Describe what of a moment the format leaves out, although it is there; "" if nothing is."""
    if isinstance(moment, datetime.datetime) and not has_date:
        return _("parts of a date")
    if isinstance(moment, datetime.time) and not has_time:
        return _("a time")
    time = moment.time() if isinstance(moment, datetime.datetime) else moment
    if isinstance(time, datetime.timedelta):
        return _("seconds") if not has_seconds and time.seconds % 60 else ""
    if time != datetime.time() and not has_time:
        return _("a time")
    return _("seconds") if time.second and not has_seconds else ""


def _get_microseconds(moment: datetime.datetime | datetime.time | datetime.timedelta) -> int:
    return moment.microseconds if isinstance(moment, datetime.timedelta) else moment.microsecond


def _refuse(place: str, reason: str) -> Cell:
    return Cell(place, "", None, "number", reason)
