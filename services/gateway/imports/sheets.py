"""Tables from .xlsx and .csv files: a header row, then rows by header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from services.gateway.imports.delimited import delimited_rows
from services.gateway.imports.model import MAX_ROWS, BadFile, Fault, RawRow, SheetRow, Value
from services.gateway.imports.workbook import workbook_rows

_MAX_HEADER_CHARACTERS = 100


class Sheet(Iterator[SheetRow]):
    """The rows of a table, read as they are asked for. `headers` is the first row that holds anything.

    Rows that hold nothing are skipped. Raises BadFile when the file breaks off or grows too long.
    """

    def __init__(self, rows: Iterator[RawRow]) -> None:
        first = next(rows, None)
        if first is None:
            raise BadFile("empty-file", "The file holds no rows.")
        self._columns = _headers(first)
        self.headers = tuple(header for header in self._columns if header)
        self._rows = self._named(rows)

    def __next__(self) -> SheetRow:
        return next(self._rows)

    def _named(self, rows: Iterator[RawRow]) -> Iterator[SheetRow]:
        for row in rows:
            if row.number > MAX_ROWS:
                raise BadFile("too-many-rows", f"The file has more than {MAX_ROWS:,} rows.")
            yield self._row(row)

    def _row(self, row: RawRow) -> SheetRow:
        cells: dict[str, Value] = dict.fromkeys(self.headers)
        faults: dict[str, str] = {}
        for place, value in enumerate(row.values):
            if value is None:
                continue
            header = self._columns[place] if place < len(self._columns) else ""
            if isinstance(value, Fault):
                faults[header] = value.message
            elif header:
                cells[header] = value
            else:
                faults[""] = "a cell stands under no header"
        return SheetRow(row.number, cells, faults)


def read_rows(path: Path, name: str) -> Sheet:
    """Open the table in `path`, an .xlsx or .csv file by the ending of `name`. Raises BadFile."""
    match Path(name).suffix.lower():
        case ".xlsx":
            return Sheet(workbook_rows(path))
        case ".csv":
            return Sheet(delimited_rows(path))
        case _:
            raise BadFile("unknown-format", "Only .xlsx and .csv files can be imported.")


def _headers(row: RawRow) -> list[str]:
    # A file without headers has keys in its first row, so no detail quotes what stands there.
    headers: list[str] = []
    for value in row.values:
        if isinstance(value, Fault) or len(str(value)) > _MAX_HEADER_CHARACTERS:
            raise BadFile("bad-header", f"Row {row.number} is not a header row.")
        header = "" if value is None else str(value).strip()
        if header.startswith(("=", "+", "-", "@")) or not header.isprintable():
            raise BadFile("bad-header", f"The header of column {len(headers) + 1} is not accepted.")
        if header and header in headers:
            first, second = headers.index(header) + 1, len(headers) + 1
            raise BadFile("duplicate-header", f"Columns {first} and {second} are named alike.")
        headers.append(header)
    return headers
