"""Whether a database can be written: what its errors say of its disk, and whether there is room again."""

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
# In a table of its own that nobody else sees, and that is rolled back: files have to grow for it.
_FILL = "CREATE TEMPORARY TABLE room AS SELECT md5(n::text) FROM generate_series(1, 4096) AS n"


def trouble(error: BaseException, url: sa.URL) -> str:
    """What is wrong with the disk of a database, in plain words, if that is what an error of it says; else empty."""
    if not isinstance(error, DBAPIError):
        return ""
    if url.get_backend_name() == "sqlite":
        what = trouble_in(Path(str(url.database)).parent, error)
    else:
        what = POSTGRESQL.get(str(getattr(error.orig, "sqlstate", "")), "")
    return f"the disk of {_name(url)} {what}" if what else ""


def trouble_in(folder: Path, error: DBAPIError) -> str:
    """What an error says of the disk of an SQLite database in this folder: that it `is full` or `can't be written`;
    else empty. SQLite calls it an I/O error as well when there is no room for a file that it shares."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    what = "" if code is None else SQLITE.get(code & 0xFF, "")
    return "is full" if what and _no_room_in(folder) else what


def has_room(engine: sa.Engine) -> bool:
    """Whether the disk of a database takes something: tried, for free space alone does not tell."""
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
