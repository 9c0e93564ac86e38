"""From a cell to a value: exact, or a RowError that never quotes what the cell holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TypeVar

from services.gateway.imports.model import Value
from shared.contracts import Money

T = TypeVar("T")

EXACT_DIGITS = 15
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d+)?", re.ASCII)
_SHORTENED = re.compile(r"\d([.]\d+)?E[+]\d+", re.ASCII | re.IGNORECASE)
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?( 00:00(:00)?)?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_LISTED = re.compile(r"[,;|、，；]")
_YES = frozenset({"1", "yes", "y", "true", "是", "上架"})
_NO = frozenset({"0", "no", "n", "false", "否", "下架"})


class RowError(Exception):
    """A row that can't be used: the guilty field, and why, without the cell's content."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


def text(field: str, value: Value, *, signs: bool = False) -> str:
    """The cell's text without spaces around it.

    A spreadsheet program takes texts that begin with = @ + - for formulas: refused, unless they are numbers; `signs`
    lets + and - pass, for keys may begin with them.
    """
    if isinstance(value, float) or (isinstance(value, int) and len(str(abs(value))) > EXACT_DIGITS):
        raise RowError(field, "a number that the spreadsheet may have rounded: format the column as text")
    written = str(value).strip()
    if _CONTROL.search(written):
        raise RowError(field, "line breaks and control characters are not accepted")
    if written.startswith(("=", "@")):
        raise RowError(field, "a text that begins with = or @ is not accepted")
    if written.startswith(("+", "-")) and not signs and not _NUMBER.fullmatch(written):
        raise RowError(field, "a text that begins with + or - is not accepted")
    return written


def secret(field: str, value: Value) -> str:
    """A card key, at most 500 characters, exactly as written but for spaces around it."""
    written = text(field, value, signs=True)
    if not 1 <= len(written) <= 500:
        raise RowError(field, "a key has 1 to 500 characters")
    if _SHORTENED.fullmatch(written):
        raise RowError(field, "a number that the spreadsheet has shortened: format the column as text")
    return written


def money(field: str, value: Value, currency: str) -> Money:
    """A decimal amount such as 48.50 in minor units, exactly."""
    # Excel shows and promises 15 significant digits; the 17 it stores of 0.1 + 0.2 are not what the person typed.
    written = f"{value:.{EXACT_DIGITS}g}" if isinstance(value, float) else text(field, value, signs=True)
    if not _NUMBER.fullmatch(written):
        raise RowError(field, "expected a plain decimal number such as 48.50")
    minor = Decimal(written) * 100
    if minor != int(minor):
        raise RowError(field, "at most 2 decimals")
    if minor < 0:
        raise RowError(field, "must not be negative")
    try:
        return Money(amount=int(minor), currency=currency)
    except ValueError:
        raise RowError(field, "the amount is too large") from None


def currency(field: str, value: Value) -> str:
    written = text(field, value).upper()
    if not _CURRENCY.fullmatch(written):
        raise RowError(field, "expected three letters such as CNY")
    return written


def whole(field: str, value: Value) -> int:
    """A whole number, zero or more."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**EXACT_DIGITS:
        return whole(field, int(value))
    written = str(value).strip()
    if not (written.isascii() and written.isdigit() and len(written) <= EXACT_DIGITS):
        raise RowError(field, "expected a whole number")
    return int(written)


def yes(field: str, value: Value) -> bool:
    written = _folded(whole(field, value) if isinstance(value, float) else value)
    if written not in _YES | _NO:
        raise RowError(field, "expected yes or no, 是 or 否, true or false, 1 or 0")
    return written in _YES


def day(field: str, value: Value) -> date:
    found = _DAY.fullmatch(_folded(value))
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else _no_day(field)
    except ValueError:
        return _no_day(field)


def _no_day(field: str) -> date:
    raise RowError(field, "expected a date such as 2027-12-31") from None


def listed(field: str, value: Value) -> tuple[str, ...]:
    """Texts separated by commas, semicolons or bars of either width."""
    return tuple(part.strip() for part in _LISTED.split(text(field, value)) if part.strip())


def one_of(field: str, value: Value, names: Mapping[str, T]) -> T:
    """What a cell's text stands for, case and width aside."""
    written = _folded(value)
    if written not in names:
        raise RowError(field, f"expected one of {', '.join(names)}")
    return names[written]


def _folded(value: Value) -> str:
    return unicodedata.normalize("NFKC", str(value)).casefold().strip()
