"""Comma-separated files: UTF-8 with or without a byte order mark, else GBK, which Chinese Excel writes."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

from services.gateway.imports.model import MAX_CELL_CHARACTERS, MAX_COLUMNS, BadFile, RawRow

_CHUNK_BYTES = 1 << 20
_ENCODINGS = ("utf-8-sig", "gb18030")


def delimited_rows(path: Path) -> Iterator[RawRow]:
    """The rows that hold anything, every cell a text. Raises BadFile, also between rows."""
    encoding = _encoding(path)
    number = 0
    with path.open(encoding=encoding, newline="") as file:
        try:
            # Strict, for a stray quote would otherwise swallow the rows up to the next one.
            for number, fields in enumerate(csv.reader(file, strict=True), start=1):
                if len(fields) > MAX_COLUMNS and any(fields[MAX_COLUMNS:]):
                    raise BadFile("too-many-columns", f"Row {number} has more than {MAX_COLUMNS} columns.")
                if any(len(field) > MAX_CELL_CHARACTERS for field in fields):
                    raise BadFile("cell-too-long", f"Row {number}: more than {MAX_CELL_CHARACTERS} characters.")
                if any(fields):
                    yield RawRow(number, [field or None for field in fields[:MAX_COLUMNS]])
        except csv.Error as error:
            raise BadFile(
                "damaged-file", f"After row {number}: a quote is not closed or a cell is too long."
            ) from error


def _encoding(path: Path) -> str:
    for encoding in _ENCODINGS:
        if _decodes(path, encoding):
            return encoding
    raise BadFile("unknown-encoding", "The file is neither UTF-8 nor GBK text.")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if b"\0" in chunk:
                raise BadFile("not-text", "The file is not comma-separated text in UTF-8 or GBK.")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return False
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
