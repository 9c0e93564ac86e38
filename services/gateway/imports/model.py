"""What every reader of files hands on, and what it says when it can't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

MAX_ROWS = 1_100_000
MAX_COLUMNS = 100
MAX_CELL_CHARACTERS = 32_767

Value: TypeAlias = str | int | float | None


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


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row's cells by header. `faults` names the headers of unusable cells, `""` for a cell under no header.

    Cells may be card keys, so they stay out of the repr.
    """

    number: int
    cells: Mapping[str, Value] = field(repr=False)
    faults: Mapping[str, str] = field(default_factory=dict)
