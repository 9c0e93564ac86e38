"""Recognises errors of a full or failing disk, and tests whether a database can be written again."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from tempfile import TemporaryFile

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

FULL = (errno.ENOSPC, errno.EDQUOT)
PROBE_BYTES = 256 * 1024
SQLITE = {
    sqlite3.SQLITE_FULL: "is full",
    sqlite3.SQLITE_IOERR: "can't be written",
    sqlite3.SQLITE_READONLY: "can't be written",
    sqlite3.SQLITE_CANTOPEN: "can't be written",
}
POSTGRESQL = {"53100": "is full", "58030": "can't be written"}
# A temporary table, rolled back afterwards: the database's files must grow for it.
_FILL = "CREATE TEMPORARY TABLE room AS SELECT md5(n::text) FROM generate_series(1, 4096) AS n"


def trouble(error: BaseException, url: sa.URL) -> str:
    """A sentence about the disk of a database, if the error comes from its disk; else empty."""
    if not isinstance(error, DBAPIError):
        return ""
    if url.get_backend_name() == "sqlite":
        what = trouble_in(Path(str(url.database)).parent, error)
    else:
        what = POSTGRESQL.get(str(getattr(error.orig, "sqlstate", "")), "")
    return f"the disk of {_name(url)} {what}" if what else ""


def trouble_in(folder: Path, error: DBAPIError) -> str:
    """`is full` or `can't be written`, if the error comes from the disk of an SQLite database in this folder; else
    empty. SQLite also reports an I/O error when there is no room for its shared-memory file."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    what = "" if code is None else SQLITE.get(code & 0xFF, "")
    return "is full" if what and _no_room_in(folder) else what


def has_room(engine: sa.Engine) -> bool:
    """Whether the disk of a database can be written; it tries, since free space alone does not show it."""
    if engine.dialect.name == "sqlite":
        return _takes_a_file(Path(str(engine.url.database)).parent)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(_FILL)
            connection.rollback()
    except DBAPIError:
        return False
    return True


def _takes_a_file(folder: Path) -> bool:
    try:
        return _is_written(folder)
    except OSError:
        return False


def _no_room_in(folder: Path) -> bool:
    try:
        return not _is_written(folder)
    except OSError as error:
        return error.errno in FULL


def _is_written(folder: Path) -> bool:
    with TemporaryFile(dir=folder, buffering=0) as file:
        written = file.write(bytes(PROBE_BYTES))
        os.fsync(file.fileno())
    return written == PROBE_BYTES


def _name(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"the database {url.database} at {url.host or url.query.get('host') or 'its server'}"
