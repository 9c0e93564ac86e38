"""What readers of files return, and the error that they raise."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

MAX_ROWS = 1_100_000
MAX_COLUMNS = 100
MAX_CELL_CHARACTERS = 32_767
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Number:
    """A number with a number format: `shown` is what the spreadsheet shows, None where that is not certain.

    `is_other_amount`: what is shown reads as another amount, such as 5% for 0.05, or 5 for 4.5. `units` are the words
    and the signs of currencies that are shown with it.
    """

    value: int | float = field(repr=False)
    shown: str | None = field(repr=False)
    is_other_amount: bool = False
    units: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time, as ISO text. `is_whole_day`: the spreadsheet shows its year, its month and its day."""

    text: str = field(repr=False)
    is_whole_day: bool = True


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    value: bool = field(repr=False)


Value: TypeAlias = str | int | float | Number | Moment | Flag | None


class BadFile(Exception):
    """A file that can't be read as a table. `code` is stable, `detail` is for people and never quotes a cell."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that can't be used, and why."""

    message: str


class RawRow(NamedTuple):
    """A row before its columns have names; `number` counts from 1 as the spreadsheet program shows it."""

    number: int
    values: list[Value | Fault]
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A part of a file that was left out or is ambiguous, and how often it occurs."""

    code: str
    count: int
    detail: str


@dataclass
class Layout:
    """What a reader finds out about a file, besides its rows."""

    hidden_columns: set[int] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row's cells by header. `faults` names the headers of unusable cells, `""` for a cell under no header.

    Cells may be card keys, so they stay out of the repr.
    """

    number: int
    cells: Mapping[str, Value] = field(repr=False)
    faults: Mapping[str, str] = field(default_factory=dict)
    is_hidden: bool = False


def is_blank(value: Value | Fault) -> bool:
    """Whether a cell is empty, or holds only spaces and invisible characters."""
    if value is None:
        return True
    if not isinstance(value, str) or value[:1].isalnum():
        return False
    return not value.strip() or (not value.isascii() and all(unicodedata.category(char) in _UNSEEN for char in value))


def plain_header(header: str) -> str:
    """A header on one line, without spaces around."""
    return " ".join(header.split())
