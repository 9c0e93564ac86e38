"""The result of an import: counts and the first problems in memory, each row's fate in a file."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from services.gateway.imports.model import BadFile, Note
from shared.contracts import Money

Fate = Literal[
    "listed", "changed", "unchanged", "loaded", "duplicate", "expired", "hidden", "refused", "bad", "unanswered"
]
FATES: tuple[Fate, ...] = get_args(Fate)
PROBLEMS: frozenset[Fate] = frozenset({"expired", "hidden", "refused", "bad", "unanswered"})
# Fates of rows that took effect, or may have.
EFFECTS: frozenset[Fate] = frozenset({"listed", "changed", "loaded", "unanswered"})
KEPT_PROBLEMS = 100
KEPT_CHANGES = 500
FATE_COLUMNS = ("row", "fate", "field", "code", "detail", "changes")


def rejected(counts: Mapping[Any, int]) -> int:
    """The number of rows that were not imported, from counts by fate."""
    return sum(count for fate, count in counts.items() if fate in PROBLEMS)


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a listed product that a row changes, or would change; `old` and `new` as JSON."""

    row: int
    sku: str
    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class RowFate:
    """One row's fate: `field` and `detail` of a bad row, `code` and `detail` of a refused one, `changes` of a changed
    product."""

    row: int
    fate: Fate
    field: str = ""
    code: str = ""
    detail: str = ""
    changes: tuple[Change, ...] = ()


@dataclass
class Report:
    """The result of an import. `problems` has the first rows that were not imported, except duplicates; `ignored` the
    unused headers.

    `changes` has the first changed fields; `changed_fields` counts all of them by name.

    `notes` say what was left out of the file or is ambiguous. `broken` says why the file could not be read to its end,
    and `last_row` is the last row that was read. The rows before have their fates all the same.
    """

    ignored: tuple[str, ...] = ()
    rows: int = 0
    counts: Counter[Fate] = field(default_factory=Counter)
    problems: list[RowFate] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    changed_fields: Counter[str] = field(default_factory=Counter)
    notes: tuple[Note, ...] = ()
    broken: BadFile | None = None
    last_row: int = 0

    @property
    def rejected(self) -> int:
        """The number of rows that were not imported."""
        return rejected(self.counts)

    @property
    def is_void(self) -> bool:
        """Whether the file broke off before any row took effect."""
        return self.broken is not None and not any(self.counts[fate] for fate in EFFECTS)


class Fates:
    """Writes fates to a CSV file as they come, which may be out of order, and updates the report's counts."""

    def __init__(self, path: Path, report: Report) -> None:
        # A new file: a run that was overtaken by this one may still write to the former file.
        path.unlink(missing_ok=True)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(opened, "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(FATE_COLUMNS)
        self._report = report

    def record(self, fate: RowFate) -> None:
        self._writer.writerow((fate.row, fate.fate, fate.field, fate.code, fate.detail, _written(fate.changes)))
        self._report.counts[fate.fate] += 1
        if fate.fate in PROBLEMS and len(self._report.problems) < KEPT_PROBLEMS:
            self._report.problems.append(fate)
        for change in fate.changes:
            self._report.changed_fields[change.field] += 1
            if len(self._report.changes) < KEPT_CHANGES:
                self._report.changes.append(change)

    def close(self) -> None:
        self._file.close()


def _written(changes: Sequence[Change]) -> str:
    """The changes as text: `price: 1.00 CNY -> 1.20 CNY; tags: a -> a, b`."""
    return "; ".join(f"{change.field}: {_shown(change.old)} -> {_shown(change.new)}" for change in changes)


def _shown(value: Any) -> str:
    match value:
        case None | []:
            return "nothing"
        case {"amount": _, "currency": _}:
            return str(Money.model_validate(value))
        case {"from_quantity": quantity, "price": price}:
            return f"{quantity}:{_shown(price)}"
        case list():
            return ", ".join(map(_shown, value))
        case _:
            return str(value)


@contextmanager
def recording(path: Path, report: Report) -> Iterator[Fates]:
    """Fates that are written to `path`. The file is closed at the end."""
    fates = Fates(path, report)
    try:
        yield fates
    finally:
        fates.close()


def read_fates(path: Path, after: int = 0, limit: int = 1_000) -> list[RowFate]:
    """A page of a fate file in the order written, skipping the first `after`."""
    page: list[RowFate] = []
    with path.open(encoding="utf-8", newline="") as file:
        for place, line in enumerate(csv.DictReader(file)):
            if place >= after + limit:
                break
            if place >= after and line["fate"] in FATES:
                page.append(RowFate(int(line["row"]), line["fate"], line["field"], line["code"], line["detail"]))
    return page
