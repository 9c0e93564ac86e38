"""What became of every row: counts and the first problems in memory, each row's fate in a file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from services.gateway.imports.model import BadFile

Fate = Literal["listed", "changed", "unchanged", "loaded", "duplicate", "refused", "bad", "unanswered"]
FATES: tuple[Fate, ...] = get_args(Fate)
PROBLEMS: frozenset[Fate] = frozenset({"refused", "bad", "unanswered"})
KEPT_PROBLEMS = 100
FATE_COLUMNS = ("row", "fate", "field", "code", "detail")


@dataclass(frozen=True, slots=True)
class RowFate:
    """One row's fate: `field` and `detail` of a bad row, `code` and `detail` of a refused one."""

    row: int
    fate: Fate
    field: str = ""
    code: str = ""
    detail: str = ""


@dataclass
class Report:
    """How an import went. `problems` are the first refused, bad and unanswered rows; `ignored` the headers unused.

    `broken` says why the file could not be read to its end; the rows before have their fates all the same.
    """

    ignored: tuple[str, ...] = ()
    rows: int = 0
    counts: Counter[Fate] = field(default_factory=Counter)
    problems: list[RowFate] = field(default_factory=list)
    broken: BadFile | None = None


class Fates:
    """Writes fates to a CSV file as they come, by chunk and so out of order, and keeps the report's figures."""

    def __init__(self, path: Path, report: Report) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(FATE_COLUMNS)
        self._report = report

    def record(self, fate: RowFate) -> None:
        self._writer.writerow((fate.row, fate.fate, fate.field, fate.code, fate.detail))
        self._report.counts[fate.fate] += 1
        if fate.fate in PROBLEMS and len(self._report.problems) < KEPT_PROBLEMS:
            self._report.problems.append(fate)

    def close(self) -> None:
        self._file.close()


@contextmanager
def recording(path: Path, report: Report) -> Iterator[Fates]:
    """Fates written to `path`, closed at the end whatever happens."""
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
