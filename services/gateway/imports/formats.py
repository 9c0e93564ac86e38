"""Number formats: what a spreadsheet shows for a number, a date or a text, if that is certain.

Only known parts of a format are interpreted. Any other part makes the result uncertain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import dropwhile
from typing import NamedTuple

from openpyxl.styles.numbers import BUILTIN_FORMATS

from services.gateway.imports.model import Number
from shared.values import currencies

EXACT_DIGITS = 15
LONGEST = 255
# Dates of East Asian versions, which the standard leaves to the language: 4月3日 has 58.
_LOCAL_DATES = frozenset((*range(27, 37), *range(50, 59)))
# The two of them that are year, month and day in every language.
_LOCAL_WHOLE_DAYS = frozenset({30, 31})
_FIRST_CUSTOM = 164
# openpyxl's 44 lacks the semicolons.
_BUILTIN = {**BUILTIN_FORMATS, 44: r'_("$"* #,##0.00_);_("$"* \(#,##0.00\);_("$"* "-"??_);_(@_)'}
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<blank>.)|\*(?P<filler>.)|\[(?P<bracketed>[^\]]*)\]'
    r"|(?P<general>general)|(?P<plain>.)",
    re.DOTALL | re.IGNORECASE,
)
# East Asian versions take it for the sign before a literal, others for a literal.
_UNCERTAIN_ESCAPE = ("plain", "!")
_TEXT = ("plain", "@")
_MOST_SECTIONS = 4
# Some programs write the colours in their own language.
_COLOUR = re.compile(
    r"black|blue|cyan|green|magenta|red|white|yellow|(?:colou?r|颜色|顏色|色彩|色) ?\d{1,2}"
    r"|(?:[黑蓝藍青绿綠红紅白黄黃]|蓝绿|藍綠|洋红|洋紅|紫红|紫紅)色?|[黒赤緑紫水]",
    re.IGNORECASE | re.ASCII,
)
# Other figures, such as 五 for 5.
_FIGURES = re.compile(r"dbnum[1-4]", re.IGNORECASE)
# A text, then the language: of more than four digits the last but five and six are a calendar, 1 is the Gregorian.
_CURRENCY = re.compile(
    r"\$([^-]*)(?:-(?:[0-9a-f]{1,4}|[0-9a-f]{1,2}0[01][0-9a-f]{4}|x-[a-z]+\d*|[a-z]{2,3}(?:-[a-z0-9]+)*)?)?",
    re.IGNORECASE | re.ASCII,
)
_CONDITION = re.compile("[<>=]")
_ELAPSED = re.compile("h+|m+|s+", re.IGNORECASE)
_DATE_LETTERS = frozenset("dmyhsDMYHS")
_HALF_DAY = re.compile("am/pm|a/p|上午/下午")
_SPLIT_SECOND = re.compile(r"s\.0+")
_RUN = re.compile(r"([a-z])\1*")
# Parts of a date and a time, eras and days of the week among them.
_DATE_PARTS = frozenset("dmyeghsa")
_BLANKS = " \u00a0\u202f\u3000"
_BETWEEN_DATE_PARTS = f"{_BLANKS}-/.,:()（）"
_DATE_WORDS = frozenset(("", *"年月日号時时分秒년월일гtz", "de"))
# Names of months and days in English, whatever the language.
_ENGLISH = ("bracketed", "ENG")
_PLACES = frozenset("0#?.,")
_AMOUNT = re.compile(r"general|[0#?]+(?:,[0#?]+)*(?:\.[0#?]*)?|\.[0#?]+")
_MULTIPLES = re.compile("[百千万亿萬億]")
# A word, with the marks that follow its letters, as in S/. and kr., or the sign of a currency with the letters before
# it, such as HK$.
_SIGN = re.compile("[$¢-¥\u0e3f\u20a0-\u20cf\ufe69\uff04\uffe0\uffe1\uffe5\uffe6]")
_UNIT = re.compile(rf"[^\W\d_]*{_SIGN.pattern}|[^\W\d_]+(?:[/.]+[^\W\d_]*)*")
# Words for pieces, in capitals.
PIECES = frozenset((*"件个個张張份枚套盒条條次组組只隻台臺部瓶本", "PC", "PCS", "PIECES"))
# What stands bare beside an amount, signs of currencies aside: letters that no format uses for anything else, of words
# that are known beside amounts.
_LETTERS = frozenset(letter for word in (*currencies.SIGNS, *PIECES) for letter in word if not letter.isascii())
_BARE = _LETTERS | frozenset(f"-(){_BLANKS}")
_PLAIN_LITERALS = frozenset("-+(): $¥￥€£")


@dataclass(frozen=True, slots=True)
class Format:
    """A number format. `digits` are its parts, one place for a digit (None) or a literal each; None where what it shows
    is not certain. `is_whole_day` of a date: its year, month and day are shown. `is_other_amount`: what is shown may
    read as another amount than the number. `decimals`: how many are shown, None where all are. `units` are the words
    and the signs of currencies that are shown. `zero` is the format of zeros, where they have their own.
    `is_other_text`: of a text something else may be shown."""

    is_general: bool = False
    is_date: bool = False
    is_whole_day: bool = False
    is_other_amount: bool = False
    decimals: int | None = None
    units: frozenset[str] = frozenset()
    digits: tuple[str | None, ...] | None = None
    zero: Format | None = None
    is_other_text: bool = False

    def of(self, number: int | float) -> int | float | Number:
        if self.is_general:
            return number
        if number == 0 and self.zero is not None:
            return self.zero.of(number)
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
UNCERTAIN = Format(is_other_amount=True, is_other_text=True)


class _Part(NamedTuple):
    """What a format is made of: `kind` names a group of _TOKEN."""

    kind: str
    text: str


_Section = tuple[_Part, ...]


def format_of(number: str, codes: dict[str, str]) -> Format:
    """The format of this id; `codes` are those that the workbook defines."""
    code = codes.get(number)
    if code is None:
        if not (number.isascii() and number.isdecimal()):
            return UNCERTAIN
        if int(number) in _LOCAL_DATES:
            return Format(is_date=True, is_whole_day=int(number) in _LOCAL_WHOLE_DAYS)
        code = _BUILTIN.get(int(number)) if int(number) < _FIRST_CUSTOM else "General"
        if code is None:
            return UNCERTAIN
    return _parsed(code) if len(code) <= LONGEST else UNCERTAIN


@lru_cache(maxsize=1_000)
def _parsed(code: str) -> Format:
    if code.strip().lower() in ("", "general", "@"):
        return GENERAL
    sections = _sections(code)
    has_text = len(sections) >= _MOST_SECTIONS or _TEXT in sections[-1]
    numbers = sections[:-1] if has_text else sections
    is_other_text = has_text and not _is_as_written(sections[-1])
    if len(sections) > _MOST_SECTIONS or any(_UNCERTAIN_ESCAPE in section for section in sections):
        return replace(UNCERTAIN, is_other_text=has_text)
    if numbers and _is_date(numbers[0]):
        is_whole_day = not _has_condition(sections) and _shows_day(numbers[0])
        return Format(is_date=True, is_whole_day=is_whole_day, is_other_text=is_other_text)
    return replace(_of_numbers(numbers), is_other_text=is_other_text)


def _sections(code: str) -> list[_Section]:
    sections: list[list[_Part]] = [[]]
    for found in _TOKEN.finditer(code):
        kind = str(found.lastgroup)
        part = _Part(kind, found[kind])
        if part == ("plain", ";"):
            sections.append([])
        else:
            sections[-1].append(part)
    return [tuple(section) for section in sections]


def _has_condition(sections: list[_Section]) -> bool:
    return any(kind == "bracketed" and _CONDITION.match(text) for section in sections for kind, text in section)


def _is_as_written(section: _Section) -> bool:
    """Whether a text is shown once, with nothing beside it but blanks."""
    texts = [part for part in section if part == _TEXT or part.kind == "general"]
    literals = (_literal(part) for part in section if part not in texts)
    return len(texts) == 1 and all(literal is not None and not literal.strip() for literal in literals)


def _of_numbers(sections: list[_Section]) -> Format:
    """Of sections for numbers above zero, below it, and zero; a condition may choose any for any number."""
    if not sections:
        return UNCERTAIN
    if _has_condition(sections):
        return _either([_amount(section) for section in sections])
    above = _amount(sections[0])
    if len(sections) > 1 and sections[1]:
        below = _amount(sections[1], "-()")
        above = replace(_either([above, below]), decimals=above.decimals)
    zero = _amount(sections[2], "-") if len(sections) > 2 else None
    return replace(above, digits=_digits(sections[0]), zero=zero)


def _either(formats: list[Format]) -> Format:
    return Format(
        is_other_amount=any(one.is_other_amount for one in formats),
        decimals=min((one.decimals for one in formats if one.decimals is not None), default=None),
        units=frozenset[str]().union(*(one.units for one in formats)),
    )


def _amount(section: _Section, marks: str = "") -> Format:
    """Of an amount with nothing beside it but blanks, words, signs of currencies, and these marks."""
    shape = beside = ""
    for part in section:
        if part.kind == "general" or (part.kind == "plain" and part.text in _PLACES):
            shape, beside = shape + part.text.lower(), f"{beside} "
            continue
        literal = _literal(part)
        if literal is None:
            return UNCERTAIN
        shape, beside = f"{shape} " if literal else shape, beside + literal
    shape, rest = shape.strip(), _UNIT.sub("", beside).strip(_BLANKS)
    is_shown = _AMOUNT.fullmatch(shape) or (not shape and rest == "-" == marks)
    if not is_shown or rest.strip(marks + _BLANKS) or _MULTIPLES.search(beside):
        return UNCERTAIN
    decimals = None if "general" in shape else len(shape.partition(".")[2])
    return Format(decimals=decimals, units=frozenset(_UNIT.findall(beside.upper())))


def _literal(part: _Part) -> str | None:
    """What a part shows beside an amount; None where that is not certain."""
    match part.kind:
        case "quoted" | "escaped":
            return part.text
        case "blank":
            return " "
        case "filler":
            return " " if part.text == " " else None
        case "bracketed":
            if _COLOUR.fullmatch(part.text) or _FIGURES.fullmatch(part.text):
                return ""
            found = _CURRENCY.fullmatch(part.text)
            return found[1] if found else None
        case _:
            return part.text if part.text in _BARE or _SIGN.fullmatch(part.text) else None


def _digits(section: _Section) -> tuple[str | None, ...] | None:
    """Of brackets only colours leave the text alone; a blank within it may be read as a space, or as none."""
    inner = _without_blanks(_without_blanks(section))
    digits: list[str | None] = []
    for kind, text in inner:
        if kind == "plain" and text == "0":
            digits.append(None)
        elif kind in ("quoted", "escaped") or (kind == "plain" and text in _PLAIN_LITERALS):
            digits.append(text)
        elif kind != "bracketed" or not _COLOUR.fullmatch(text):
            return None
    return tuple(digits) if None in digits else None


def _without_blanks(section: _Section) -> _Section:
    """Without the blanks at its beginning, and turned around."""
    return tuple(dropwhile(lambda part: part.kind == "blank", section))[::-1]


def _is_date(section: _Section) -> bool:
    return any(
        _ELAPSED.fullmatch(text) if kind == "bracketed" else kind == "plain" and text in _DATE_LETTERS
        for kind, text in section
    )


def _shows_day(section: _Section) -> bool:
    """Whether a year, a month and a day are shown, and nothing with them but a time and what is usual between."""
    shape = ""
    for part in section:
        if part == _ENGLISH:
            continue
        if part.kind == "plain" and part.text.lower() in (
            *_DATE_PARTS,
            "p",
            "0",
            "上",
            "下",
            "午",
            *_BETWEEN_DATE_PARTS,
        ):
            shape += part.text.lower()
            continue
        literal = part.text if part.kind == "plain" else _literal(part)
        if literal is None or literal.strip(_BETWEEN_DATE_PARTS).lower() not in _DATE_WORDS:
            return False
        shape += " " if literal else ""
    shape = _SPLIT_SECOND.sub("s", _HALF_DAY.sub(" ", shape))
    if not frozenset(shape) <= _DATE_PARTS | frozenset(_BETWEEN_DATE_PARTS):
        return False
    runs = ["", *(run[0] for run in _RUN.finditer(shape)), ""]
    # After hours and before seconds there are minutes, and mmmmm is but the first letter of a month.
    has_month = any(
        run in ("m", "mm", "mmm", "mmmm") and before[:1] != "h" and after[:1] != "s"
        for before, run, after in zip(runs, runs[1:], runs[2:], strict=False)
    )
    return has_month and bool({"d", "dd"} & set(runs)) and any(run[:1] in ("y", "e") for run in runs)
