"""Reads text files of delimited values, row by row, and finds their delimiter."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from typing import BinaryIO

from services.gateway.imports.encodings import ADVICE, GB18030, WIDE, read_encoding
from services.gateway.imports.model import (
    MAX_CELL_CHARACTERS,
    MAX_COLUMNS,
    BadFile,
    Layout,
    Note,
    RawRow,
)

DELIMITERS = ",;\t|"
_FIRST_LINES = 1 << 16


def delimited_rows(
    file: BinaryIO,
    layout: Layout,
    named: str | None = None,
    is_known_header: Callable[[str], bool] = lambda cell: False,
) -> Iterator[RawRow]:
    """The rows that are not empty, with every cell as text. `layout` is filled before the first row. `named` is the
    encoding that the sender names; `is_known_header` says whether a header belongs to a field.

    Raises BadFile, also between rows.
    """
    encoding = read_encoding(file, named, is_known_header)
    if encoding == GB18030 and named is None:
        layout.notes.append(Note("encoding", 1, f"Read as GB18030 (GBK). If names look wrong, {ADVICE}."))
    file.seek(0)
    text = TextIOWrapper(file, encoding, newline="")
    start = text.read(_FIRST_LINES)
    has_separator_line, delimiter = _delimiter(start)
    text.seek(0)
    number = width = short = 0
    try:
        # Strict, because a stray quote would otherwise swallow the rows up to the next quote.
        lines = _without_nul(text) if encoding in WIDE else text
        reader = csv.reader(lines, strict=True, delimiter=delimiter, skipinitialspace=True)
        for number, fields in enumerate(reader, start=1):
            if number == 1 and has_separator_line:
                continue
            if len(fields) > MAX_COLUMNS and any(fields[MAX_COLUMNS:]):
                raise BadFile("too-many-columns", f"Row {number} has more than {MAX_COLUMNS} columns.")
            if max(map(len, fields), default=0) > MAX_CELL_CHARACTERS:
                raise BadFile("cell-too-long", f"Row {number}: more than {MAX_CELL_CHARACTERS} characters.")
            if any(fields):
                width = width or len(fields)
                short += len(fields) < width
                yield RawRow(number, [field or None for field in fields[:MAX_COLUMNS]])
        if short:
            detail = "Rows have fewer cells than the header row: the missing ones count as empty."
            layout.notes.append(Note("short-rows", short, detail))
    except csv.Error as error:
        raise BadFile("damaged-file", f"After row {number}: a quote is not closed or a cell is too long.") from error


def _without_nul(lines: Iterator[str]) -> Iterator[str]:
    """Refuse NUL characters in encodings whose bytes may be zero. For other encodings a zero byte was refused
    before."""
    for line in lines:
        if "\0" in line:
            raise BadFile("not-text", "The file holds characters that no text has.")
        yield line


def _delimiter(start: str) -> tuple[bool, str]:
    """Whether the first line is Excel's `sep=;`, and what stands between the cells of the header row."""
    first = next((line for line in start.splitlines() if line.strip()), "")
    if first.lower().startswith("sep=") and len(first) == 5 and first[4] in DELIMITERS:
        return True, first[4]
    counts = {delimiter: _outside_quotes(start, delimiter) for delimiter in DELIMITERS}
    most = max(counts.values())
    likely = [delimiter for delimiter, count in counts.items() if count == most]
    if most and len(likely) > 1:
        raise BadFile("unknown-delimiter", "It is not clear which character stands between the header row's cells.")
    return False, likely[0]


def _outside_quotes(start: str, delimiter: str) -> int:
    """How often a delimiter stands in the first row that holds anything, outside quotes."""
    count, is_quoted, has_begun = 0, False, False
    for char in start:
        if char == '"':
            is_quoted = not is_quoted
        elif not is_quoted and char in "\r\n":
            if has_begun:
                break
            continue
        elif not is_quoted and char == delimiter:
            count += 1
        has_begun = has_begun or not char.isspace() or char == delimiter
    return count
