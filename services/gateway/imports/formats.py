"""Number formats: what a spreadsheet shows of a number, where that is certain."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

from services.gateway.imports.model import Number

EXACT_DIGITS = 15
LONGEST = 255
# Dates of East Asian versions, which the standard leaves to the language: 4月3日 has 58.
_LOCAL_DATES = frozenset((*range(27, 37), *range(50, 59)))
# The two of them that are year, month and day in every language.
_LOCAL_WHOLE_DAYS = frozenset({30, 31})
_FIRST_CUSTOM = 164
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|_(.)|\*(.)|\[([^\]]*)\]|(.)', re.DOTALL)
# Of what stands in brackets, only colours leave the text alone: [DBNum1] writes 5 as 五, [$SKU-] puts SKU before it.
_COLOUR = re.compile(r"black|blue|cyan|green|magenta|red|white|yellow|colou?r ?\d{1,2}", re.IGNORECASE)
_DAY = re.compile(r"(?<!d)d{1,2}(?!d)")
_PLACE = re.compile("[0#?]|general")
_SCALED = re.compile("[%‰]|[0#?][^;0#?]*,(?![0#?])")
_UNITS = re.compile("[0-9%‰百千万亿.,·．，]")
# A word, or the sign of a currency with the letters before it, such as HK$.
_UNIT = re.compile(r"[^\W\d_]*[$¢-¥\u0e3f\u20a0-\u20cf\ufe69\uff04\uffe0\uffe1\uffe5\uffe6]|[^\W\d_]+")
_NO_UNIT = re.compile("general|e[+-]", re.IGNORECASE)
_CONDITION = re.compile(r"\[[<>=]")
_PLAIN_LITERALS = frozenset("-+(): $¥￥€£")


@dataclass(frozen=True, slots=True)
class Format:
    """A number format. `digits` are its parts, one place for a digit (None) or a literal each; None where what it shows
    is not certain. `is_whole_day` of a date: its year, month and day are shown. `is_other_amount`: what is shown reads
    as another amount than the number. `decimals`: how many are shown, None where that can't be said. `units` are the
    words and the signs of currencies that are shown."""

    is_general: bool = False
    is_date: bool = False
    is_whole_day: bool = False
    is_other_amount: bool = False
    decimals: int | None = None
    units: frozenset[str] = frozenset()
    digits: tuple[str | None, ...] | None = None

    def of(self, number: int | float) -> int | float | Number:
        if self.is_general:
            return number
        is_other = self.is_other_amount or self._is_rounded(number)
        return Number(number, self._shown(number), is_other, self.units)

    def _is_rounded(self, number: int | float) -> bool:
        """Whether decimals that the number has are not shown; those beyond the exact digits it does not have."""
        if self.decimals is None:
            return False
        return round(number, self.decimals) != float(f"{number:.{EXACT_DIGITS}g}")

    def _shown(self, number: int | float) -> str | None:
        is_certain = number == int(number) and 0 <= number < 10**EXACT_DIGITS
        if self.digits is None or not is_certain:
            return None
        places = self.digits.count(None)
        written = f"{int(number):0{places}d}"
        # What is more than there are places stands at the first.
        filling = iter([written[: len(written) - places + 1], *written[len(written) - places + 1 :]])
        return "".join(next(filling) if part is None else part for part in self.digits)


GENERAL = Format(is_general=True)
UNCERTAIN = Format()


def format_of(number: str, codes: dict[str, str]) -> Format:
    """The format of this id; `codes` are those that the workbook defines."""
    code = codes.get(number)
    if code is None:
        if not (number.isascii() and number.isdecimal()):
            return UNCERTAIN
        if int(number) in _LOCAL_DATES:
            return Format(is_date=True, is_whole_day=int(number) in _LOCAL_WHOLE_DAYS)
        code = BUILTIN_FORMATS.get(int(number)) if int(number) < _FIRST_CUSTOM else "General"
        if code is None:
            return UNCERTAIN
    return _parsed(code[:LONGEST])


@lru_cache(maxsize=1_000)
def _parsed(code: str) -> Format:
    if code.strip().lower() in ("", "general", "@"):
        return GENERAL
    if is_date_format(code):
        return Format(is_date=True, is_whole_day=_shows_day(code))
    amount = Format(is_other_amount=_shows_other_amount(code), decimals=_decimals(code), units=_units_shown(code))
    digits: list[str | None] = []
    # A second section is for numbers below zero, and a condition in brackets may choose another.
    if _CONDITION.search(code):
        return amount
    for quoted, escaped, blank, filler, bracketed, plain in _TOKEN.findall(code):
        if plain == ";":
            break
        is_changing = bool(bracketed) and not _COLOUR.fullmatch(bracketed)
        if filler or is_changing or (plain and plain not in _PLAIN_LITERALS and plain != "0"):
            return amount
        if plain == "0":
            digits.append(None)
        elif not blank and not bracketed:
            digits.append(quoted or escaped or plain)
    return replace(amount, digits=tuple(digits) if None in digits else None)


def _bare(code: str) -> str:
    """A format in small letters, without its literals, colours and languages."""
    return "".join(plain for *_, plain in _TOKEN.findall(code)).lower()


def _decimals(code: str) -> int | None:
    """How many decimals are shown at least; of fractions and powers of ten that can't be said."""
    bare = _bare(code)
    if "general" in bare or re.search("[/e]", bare):
        return None
    sections = bare.split(";") if _CONDITION.search(code) else [bare.partition(";")[0]]
    return min(len(_PLACE.findall(section.partition(".")[2])) for section in sections)


def _units_shown(code: str) -> frozenset[str]:
    """In capitals. A currency stands in brackets behind a $, before the language: [$€-407]."""
    parts = (
        quoted or escaped or (bracketed[1:].partition("-")[0] if bracketed[:1] == "$" else plain)
        for quoted, escaped, _, _, bracketed, plain in _TOKEN.findall(_NO_UNIT.sub("", code))
    )
    return frozenset(_UNIT.findall("".join(parts).upper()))


def _shows_day(code: str) -> bool:
    bare = _bare(code).partition(";")[0]
    return bool(_DAY.search(bare)) and "m" in bare and bool(re.search("[ye]", bare))


def _shows_other_amount(code: str) -> bool:
    """Whether a number may be shown as percents, in thousands, with a unit, digits or points of the format's own, as if
    it were below zero, or not at all."""
    bare = _bare(code)
    first = bare.partition(";")[0]
    literals = "".join(quoted + escaped for quoted, escaped, *_ in _TOKEN.findall(code))
    return bool(
        _SCALED.search(bare) or _UNITS.search(literals) or not _PLACE.search(first) or re.match(r"[^0#?]*[-(]", first)
    )
