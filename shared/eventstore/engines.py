"""Opens SQLite and PostgreSQL with the settings that the log needs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from shared.eventstore.pipeline import PipelinedConnection

LIMIT_EXCEEDED = "54"  # the class of PostgreSQL's errors for what is too large for it, such as an indexed value
WRITER_SETTINGS = "-c synchronous_commit=on -c idle_in_transaction_session_timeout=10s"
CONNECTING = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def open_engine(url: str | sa.URL, *, writer: bool) -> sa.Engine:
    """An engine on a service's database. On SQLite, a writer's transactions take the write lock when they begin.

    A process that uses eventlet with PostgreSQL must set PSYCOPG_WAIT_FUNC=wait_selector before it imports psycopg, or
    each wait for the server blocks all its greenthreads.
    """
    url = sa.make_url(url)
    return _sqlite(url, writer) if url.get_backend_name() == "sqlite" else _postgresql(url, writer)


def _postgresql(url: sa.URL, writer: bool) -> sa.Engine:
    role = "writer" if writer else "reader"
    settings: dict[str, object] = {**CONNECTING, "application_name": f"kameng {url.database} {role}", **url.query}
    if writer:
        # A writer that freezes in a transaction must not keep its rows locked for the next writer.
        settings["options"] = f"{settings.get('options', '')} {WRITER_SETTINGS}".strip()
        engine = sa.create_engine(url, connect_args=settings, pool_size=2, max_overflow=2)
        event.listen(engine, "do_connect", _pipelined)
    else:
        engine = sa.create_engine(url, connect_args=settings, pool_size=5, max_overflow=15, pool_pre_ping=True)
    return engine


def _pipelined(
    _dialect: object, _record: object, arguments: Sequence[str], settings: dict[str, Any]
) -> PipelinedConnection:
    return PipelinedConnection.connect(*arguments, **settings, prepare_threshold=None)


def _sqlite(url: sa.URL, writer: bool) -> sa.Engine:
    arguments = {"timeout": 30, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=arguments, json_serializer=_to_json)
    begin = "BEGIN IMMEDIATE" if writer else "BEGIN"

    @event.listens_for(engine, "do_connect")
    def _on_opening(_dialect: object, _record: object, arguments: Sequence[str], _settings: object) -> None:
        if arguments and arguments[0] != ":memory:":
            _create(arguments[0])

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA mmap_size = 268435456")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _to_json(value: object) -> str:
    """JSON text for PostgreSQL, at a fifth of the standard library's cost."""
    return orjson.dumps(value).decode()


def _create(database: str) -> None:
    """Create a database's file that only its owner can read; SQLite gives its -wal and -shm the same mode.

    An existing file is not opened: closing it again would drop SQLite's locks of this whole process, and the next
    process to close the database would then delete the -wal under it (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def is_unreachable(error: Exception) -> bool:
    """Whether a server could not be reached, or refused the connection."""
    if not isinstance(error, OperationalError | InterfaceError) or isinstance(error.orig, sqlite3.Error):
        return False
    return str(getattr(error.orig, "sqlstate", None) or "08")[:2] in ("08", "28", "3D", "53", "57")


def is_outage(error: Exception) -> bool:
    """Whether the error is a failure of the database, and not of the statement."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return False
    if str(getattr(error.orig, "sqlstate", "")).startswith(LIMIT_EXCEEDED):
        return False
    return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
