"""Reads a workbook's zip archive within limits, so that a hostile file can't exhaust memory or time."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from services.gateway.imports.model import BadFile

MAX_ENTRIES = 1_000
MAX_UNPACKED_BYTES = 400_000_000
MAX_RATIO = 200
BIG_ENTRY_BYTES = 1_000_000
CHUNK_BYTES = 1 << 16

_OLE2 = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = 0x1


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, OSError, ValueError) as error:
        raise BadFile("damaged-file", "The file is damaged or incomplete.") from error


def _folded(name: str) -> str:
    """The name of a part, for comparison: case does not matter (ECMA-376, part 2), and some programs write
    backslashes."""
    return name.replace("\\", "/").lstrip("/").lower()


class Archive:
    """The parts of a zip file. Raises BadFile for a file that is no zip, is locked, broken or a zip bomb."""

    def __init__(self, file: BinaryIO) -> None:
        magic = file.read(8)
        if magic == _OLE2:
            raise BadFile("locked-or-old-file", "Password-protected and .xls files can't be read: save as plain .xlsx.")
        if not magic.startswith(b"PK"):
            raise BadFile("not-a-workbook", "The file is not an .xlsx workbook.")
        with _damage():
            self._zip = ZipFile(file)
        self._entries = self._checked(self._zip.infolist())

    def _checked(self, entries: list[ZipInfo]) -> dict[str, ZipInfo]:
        if len(entries) > MAX_ENTRIES:
            raise BadFile("zip-bomb", f"The file has more than {MAX_ENTRIES} parts.")
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
            raise BadFile("zip-bomb", f"The file unpacks to more than {MAX_UNPACKED_BYTES // 1_000_000} MB.")
        for entry in entries:
            if entry.file_size > BIG_ENTRY_BYTES and entry.file_size > MAX_RATIO * entry.compress_size:
                raise BadFile("zip-bomb", f"A part of the file is compressed more than {MAX_RATIO} times.")
            if entry.flag_bits & _ENCRYPTED:
                raise BadFile("locked-or-old-file", "The file is protected with a password.")
            if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise BadFile("damaged-file", "The file is compressed in an unknown way.")
        by_name = {_folded(entry.filename): entry for entry in entries}
        if len(by_name) != len(entries):
            raise BadFile("damaged-file", "The file has two parts of one name.")
        return by_name

    def __contains__(self, name: str) -> bool:
        return _folded(name) in self._entries

    def verify(self, name: str, mark: bytes = b"") -> bool:
        """Unpack a part once, so that damage shows before any row takes effect. Returns whether the part may contain
        `mark`, in any encoding of XML."""
        has_mark, before = False, b""
        for chunk in self.chunks(name):
            if mark and not has_mark:
                piece = before + chunk.replace(b"\0", b"")
                has_mark, before = mark in piece, piece[-len(mark) :]
        return has_mark

    def chunks(self, name: str, limit: int = MAX_UNPACKED_BYTES) -> Iterator[bytes]:
        """The unpacked bytes of a part. Its checksum is verified at the end; declared sizes are not trusted."""
        if name not in self:
            raise BadFile("not-a-workbook", "The file is not an .xlsx workbook.")
        unpacked = 0
        with _damage():
            part = self._zip.open(self._entries[_folded(name)])
        with part:
            while True:
                with _damage():
                    chunk = part.read(CHUNK_BYTES)
                if not chunk:
                    return
                unpacked += len(chunk)
                if unpacked > limit:
                    raise BadFile("zip-bomb", "A part of the file unpacks to too much.")
                yield chunk
