"""Turns a cell into a value, exactly, or raises a RowError that never quotes the cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import TypeVar

from services.gateway.imports.formats import EXACT_DIGITS, PIECES
from services.gateway.imports.model import Flag, Moment, Number, Value
from shared.contracts import Money
from shared.values import currencies, identities
from shared.values.identities import NoCanonicalForm

T = TypeVar("T")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d+)?", re.ASCII)
AS_TEXT = "format the column as text, and enter it again"
# What spreadsheet programs write in place of a code: 6.90123E+12, 3-Apr, Apr-27, 4月3日, 2027/4/3, TRUE, #N/A, ####.
_SHORTENED = re.compile(r"[+-]?\d+([.,]\d+E[+-]?\d+|E[+-]\d+)", re.ASCII | re.IGNORECASE)
_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = re.compile(
    rf"\d{{1,2}}-{_MONTH}(-\d{{2,4}})?|{_MONTH}-\d{{1,4}}"
    r"|(\d{2,4}年)?\d{1,2}月(\d{1,2}日)?|\d{2,4}年|\d{1,4}/\d{1,2}/\d{1,4}( .*)?",
    re.ASCII,
)
_APOSTROPHES = ("'", "\uff07")
_ODD_AT_FIRST = frozenset((*_APOSTROPHES, "=", "@", "+", "-"))
_SPOILT = re.compile(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|#+)|true|false", re.IGNORECASE)
# All three in one expression.
_ANY_SPOILT = re.compile("|".join(f"(?:{one.pattern})" for one in (_SHORTENED, _DATE, _SPOILT)), re.IGNORECASE)
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?( 00:00(:00)?)?", re.ASCII)
_LISTED = re.compile(r"[,;|、，；]")
_YES = frozenset({"1", "yes", "y", "true", "是", "上架"})
_NO = frozenset({"0", "no", "n", "false", "否", "下架"})


class RowError(Exception):
    """A row that can't be used: the field at fault and the reason, without the cell's content."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


def text(field: str, value: Value, *, signs: bool = False, apostrophe: bool = False) -> str:
    """What the spreadsheet shows in the cell, without spaces around it.

    Spreadsheet programs take texts that begin with = @ + - for formulas, so these are refused unless they are numbers.
    `signs` allows + and -, because keys may begin with them. An apostrophe at the beginning marks a text in such a
    program, and may or may not belong to the text, so it is refused. `apostrophe` allows it, because names may begin
    with one.
    """
    written = (value if isinstance(value, str) else _shown(field, value)).strip()
    if not written.isprintable() and _CONTROL.search(written):
        raise RowError(field, "line breaks and control characters are not accepted")
    if written[:1] not in _ODD_AT_FIRST:
        return written
    if written.startswith(_APOSTROPHES) and not apostrophe:
        raise RowError(field, "a text that begins with an apostrophe is not accepted: delete the apostrophe")
    if written.startswith(("=", "@")):
        raise RowError(field, "a text that begins with = or @ is not accepted")
    if written.startswith(("+", "-")) and not signs and not _NUMBER.fullmatch(written):
        raise RowError(field, "a text that begins with + or - is not accepted")
    return written


def canonical(field: str, form: Callable[[str], str], written: str) -> str:
    """The canonical form of an identity."""
    try:
        return form(written)
    except NoCanonicalForm as error:
        raise RowError(field, error.reason) from None


def _shown(field: str, value: Value) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case Flag():
            raise RowError(field, f"the spreadsheet has made yes or no of it: {AS_TEXT}")
        case Moment():
            raise RowError(field, f"the spreadsheet has made a date or a time of it: {AS_TEXT}")
        case Number():
            if value.shown is None:
                raise RowError(field, f"a number in a format that may show other digits: {AS_TEXT}")
            return value.shown
        case _ if value != value or abs(value) >= 10**EXACT_DIGITS or value != int(value):
            raise RowError(field, f"a number that the spreadsheet may have rounded: {AS_TEXT}")
        case _:
            return str(int(value))


def secret(field: str, value: Value) -> str:
    """A card key as the spreadsheet shows it, of at most 500 characters."""
    written = text(field, value, signs=True)
    if not 1 <= len(written) <= 500:
        raise RowError(field, "a key has 1 to 500 characters")
    _refuse_spoilt(field, canonical(field, identities.card_key, written))
    return written


def code(field: str, value: Value) -> str:
    """A code in its canonical form, such as a SKU, a batch or a supplier's name."""
    return _code(field, text(field, value))


@lru_cache(maxsize=10_000)  # a sheet of keys names few SKUs, batches and suppliers
def _code(field: str, written: str) -> str:
    found = canonical(field, identities.code, written)
    _refuse_spoilt(field, found)
    return found


def _refuse_spoilt(field: str, written: str) -> None:
    if not _ANY_SPOILT.fullmatch(written):
        return
    if _SHORTENED.fullmatch(written):
        raise RowError(field, f"a number that a spreadsheet has shortened: {AS_TEXT}")
    if _DATE.fullmatch(written):
        raise RowError(field, f"it may be a code of which a spreadsheet has made a date: {AS_TEXT}")
    if _SPOILT.fullmatch(written):
        raise RowError(field, f"a spreadsheet has put an error, or yes or no, in its place: {AS_TEXT}")


def money(field: str, value: Value, currency: str) -> Money:
    """A decimal amount such as 48.50 in minor units, exactly."""
    units = value.units if isinstance(value, Number) else ()
    value = _amount(field, value)
    if not all(currencies.is_called(currency, unit) for unit in units):
        raise RowError(field, f"the spreadsheet shows something else than {currency}: format the cell as a number")
    # Excel shows and promises 15 significant digits; the 17 it stores of 0.1 + 0.2 are not what the person typed.
    written = f"{value:.{EXACT_DIGITS}g}" if isinstance(value, float) else text(field, value, signs=True)
    return _money(field, written, currency)


@lru_cache(maxsize=10_000)  # prices come again and again
def _money(field: str, written: str, currency: str) -> Money:
    try:
        minor = currencies.minor(written, currency)
    except currencies.BadAmount as error:
        raise RowError(field, str(error)) from None
    if minor < 0 or written.startswith("-"):
        raise RowError(field, "must not be negative")
    try:
        return Money(amount=minor, currency=currency)
    except ValueError:
        raise RowError(field, "the amount is too large") from None


def currency(field: str, value: Value) -> str:
    """The code of a currency of ISO 4217."""
    try:
        return currencies.known(text(field, value).upper())
    except currencies.UnknownCurrency as error:
        raise RowError(field, str(error)) from None


def whole(field: str, value: Value) -> int:
    """A whole number, zero or more. If the spreadsheet shows a unit with it, that must be a word for pieces."""
    units = value.units if isinstance(value, Number) else frozenset[str]()
    value = _amount(field, value)
    if not units <= PIECES:
        raise RowError(field, "the spreadsheet shows something else than pieces: format the cell as a number")
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**EXACT_DIGITS:
        return whole(field, int(value))
    written = text(field, value, signs=True)
    if not (written.isascii() and written.isdigit() and len(written) <= EXACT_DIGITS):
        raise RowError(field, "expected a whole number")
    return int(written)


def _amount(field: str, value: Value) -> Value:
    if not isinstance(value, Number):
        return value
    if value.is_other_amount:
        raise RowError(field, "the spreadsheet shows another amount, such as a percentage: format the cell as a number")
    return value.value


def yes(field: str, value: Value) -> bool:
    if isinstance(value, Flag):
        return value.value
    written = _folded(field, value)
    if written not in _YES | _NO:
        raise RowError(field, "expected yes or no, 是 or 否, true or false, 1 or 0")
    return written in _YES


def day(field: str, value: Value) -> date:
    """A date whose year, month and day the spreadsheet shows. Parts that it hides may be made up."""
    if isinstance(value, Moment) and not value.is_whole_day:
        raise RowError(field, "the spreadsheet shows no whole date: format the cell as 2027-12-31, and look at the day")
    return _day(field, value.text if isinstance(value, Moment) else _folded(field, value))


@lru_cache(maxsize=1_000)
def _day(field: str, written: str) -> date:
    found = _DAY.fullmatch(written)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else _no_day(field)
    except ValueError:
        return _no_day(field)


def _no_day(field: str) -> date:
    raise RowError(field, "expected a date such as 2027-12-31") from None


def listed(field: str, value: Value) -> tuple[str, ...]:
    """Texts separated by commas, semicolons or bars of either width, each once."""
    return _parts(text(field, value))


@lru_cache(maxsize=1_000)
def _parts(written: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in _LISTED.split(written) if part.strip()))


def one_of(field: str, value: Value, names: Mapping[str, T]) -> T:
    """The value that a cell's text names. Case and width do not matter."""
    written = _folded(field, value)
    if written not in names:
        raise RowError(field, f"expected one of {', '.join(names)}")
    return names[written]


def _folded(field: str, value: Value) -> str:
    return _plain(_shown(field, value))


@lru_cache(maxsize=1_000)
def _plain(written: str) -> str:
    return unicodedata.normalize("NFKC", written).casefold().strip()
