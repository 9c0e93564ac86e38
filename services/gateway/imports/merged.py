"""Merged cells of a sheet. All but the first cell of a merged area hold no value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from openpyxl.utils import range_boundaries

from services.gateway.imports.archive import Archive
from services.gateway.imports.markup import local, parse
from services.gateway.imports.model import MAX_COLUMNS, BadFile

MAX_MERGED = 100_000


class Area(NamedTuple):
    """Rows and columns of a merged cell, from 1, the last ones included."""

    top: int
    bottom: int
    left: int
    right: int


def merged_cells(archive: Archive, sheet: str) -> list[Area]:
    """The merged cells of a sheet from the top. Raises BadFile."""
    found: list[Area] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if local(name) != "mergeCell":
            return
        try:
            left, top, right, bottom = range_boundaries(attributes.get("ref", ""))
        except (ValueError, TypeError) as error:
            raise BadFile("damaged-file", "A merged cell has an unreadable place.") from error
        if not (left and top and right and bottom) or len(found) >= MAX_MERGED:
            raise BadFile("damaged-file", "The sheet has merged cells that can't be read, or too many.")
        if left <= MAX_COLUMNS:
            found.append(Area(top, bottom, left, right))

    parse(archive.chunks(sheet), start, lambda _: None, lambda _: None)
    return sorted(found)


class Merged:
    """Finds the merged cells of each row. Rows must be queried from top to bottom."""

    def __init__(self, areas: list[Area]) -> None:
        self._coming = iter(areas)
        self._next = next(self._coming, None)
        self._open: list[Area] = []

    def in_row(self, row: int) -> Iterator[int]:
        """The columns in this row whose cells belong to one further left or further up."""
        if self._next is None and not self._open:
            return
        while self._next is not None and self._next.top <= row:
            self._open.append(self._next)
            self._next = next(self._coming, None)
        self._open = [area for area in self._open if area.bottom >= row]
        if len(self._open) > MAX_COLUMNS:
            raise BadFile("damaged-file", "The sheet has merged cells that lie upon one another.")
        for area in self._open:
            for column in range(area.left, min(area.right, MAX_COLUMNS) + 1):
                if (row, column) != (area.top, area.left):
                    yield column
