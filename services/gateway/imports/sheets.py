"""Tables from .xlsx and .csv files: a header row, then rows by header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from services.gateway.imports.columns import is_known
from services.gateway.imports.delimited import delimited_rows
from services.gateway.imports.model import (
    MAX_ROWS,
    BadFile,
    Fault,
    Layout,
    Note,
    RawRow,
    SheetRow,
    Value,
    is_blank,
    plain_header,
)
from services.gateway.imports.workbook import workbook_rows

_MAX_HEADER_CHARACTERS = 100


class Sheet(Iterator[SheetRow]):
    """The rows of a table, read on demand. `headers` is the first visible row that is not empty; `hidden_headers` are
    the headers of hidden columns.

    Rows that hold nothing, or nothing but spaces, are skipped. `notes` is whole when the last row was read. Raises
    BadFile when the file breaks off or grows too long; `last_row` is the number of the row that was read last.
    """

    def __init__(self, rows: Iterator[RawRow], layout: Layout | None = None) -> None:
        self._layout = layout or Layout()
        self._hidden_rows = 0
        first = next((row for row in rows if self._is_header(row)), None)
        if first is None:
            raise BadFile("empty-file", "The file holds no rows.")
        self.last_row = first.number
        self._columns = _headers(first)
        self.headers = tuple(header for header in self._columns if header)
        hidden = self._layout.hidden_columns
        self.hidden_headers = tuple(
            header for place, header in enumerate(self._columns, start=1) if header and place in hidden
        )
        self._rows = self._named(rows)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was left out of the file so far, or is ambiguous."""
        found = list(self._layout.notes)
        if self._hidden_rows:
            detail = "Rows that are hidden, by a filter or by hand, are not imported: show them, or delete them."
            found.append(Note("hidden-rows", self._hidden_rows, detail))
        return tuple(found)

    def __next__(self) -> SheetRow:
        return next(self._rows)

    def _is_header(self, row: RawRow) -> bool:
        self._hidden_rows += row.is_hidden
        return not row.is_hidden and not all(map(is_blank, row.values))

    def _named(self, rows: Iterator[RawRow]) -> Iterator[SheetRow]:
        for row in rows:
            if row.number > MAX_ROWS:
                raise BadFile("too-many-rows", f"The file has more than {MAX_ROWS:,} rows.")
            if not all(map(is_blank, row.values)):
                self._hidden_rows += row.is_hidden
                self.last_row = row.number
                yield self._row(row)

    def _row(self, row: RawRow) -> SheetRow:
        cells: dict[str, Value] = dict.fromkeys(self.headers)
        if len(row.values) <= len(self.headers) == len(self._columns) and Fault not in map(type, row.values):
            cells.update(zip(self.headers, cast("list[Value]", row.values), strict=False))
            return SheetRow(row.number, cells, is_hidden=row.is_hidden)
        faults: dict[str, str] = {}
        for place, value in enumerate(row.values):
            if value is None:
                continue
            header = self._columns[place] if place < len(self._columns) else ""
            if isinstance(value, Fault):
                faults[header] = value.message
            elif header:
                cells[header] = value
            elif not is_blank(value):
                faults[""] = "a cell stands under no header"
        return SheetRow(row.number, cells, faults, row.is_hidden)


def read_rows(
    file: BinaryIO, name: str, encoding: str | None = None, mapping: Mapping[str, str] | None = None
) -> Sheet:
    """Open the table in a file by the ending of `name`. Raises BadFile. Only the table may use the file.

    `encoding` is that of a text file, where its sender says so. Headers of ours, and those that the mapping names, show
    that a text is read as it was written.
    """
    layout = Layout()
    file.seek(0)
    match Path(name).suffix.lower():
        case ".xlsx":
            if encoding is not None:
                raise BadFile("encoding-not-needed", "A workbook says its encoding itself: `encoding` is for texts.")
            return Sheet(workbook_rows(file, layout), layout)
        case ".csv" | ".tsv" | ".txt":
            return Sheet(delimited_rows(file, layout, encoding, lambda cell: is_known(cell, mapping)), layout)
        case _:
            raise BadFile("unknown-format", "Only .xlsx files and texts (.csv, .tsv, .txt) can be imported.")


def _headers(row: RawRow) -> list[str]:
    # A file without headers has keys in its first row, so no detail quotes what stands there.
    headers: list[str] = []
    for value in row.values:
        if not isinstance(value, str | int | float | None) or len(str(value)) > _MAX_HEADER_CHARACTERS:
            raise BadFile("bad-header", f"Row {row.number} is not a header row.")
        header = "" if value is None else plain_header(str(value))
        if header.startswith(("=", "+", "-", "@")) or not header.isprintable():
            raise BadFile("bad-header", f"The header of column {len(headers) + 1} is not accepted.")
        if header and header in headers:
            first, second = headers.index(header) + 1, len(headers) + 1
            raise BadFile("duplicate-header", f"Columns {first} and {second} are named alike.")
        headers.append(header)
    return headers
