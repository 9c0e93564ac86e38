"""A database in memory that outlives the processes working on it, and fails as databases do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from shared.hosting.simulated.faults import Fate


class Crashed(BaseException):
    """The process at work has died, here and now."""


class Store:
    """One service's database. `commits` counts what became durable."""

    def __init__(self, image: bytes | None = None) -> None:
        """`image` is what another store's `image` gave."""
        self._held = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        if image is not None:
            self._held.deserialize(image)
        self.commits = 0
        self.reads = self._engine()

    def image(self) -> bytes:
        """All that the database holds."""
        return self._held.serialize()

    def abandon(self) -> None:
        """Whoever was in a transaction is gone: it never happened."""
        if self._held.in_transaction:
            self._held.rollback()

    def close(self) -> None:
        self._held.close()

    def _engine(self) -> sa.Engine:
        engine = sa.create_engine("sqlite://", creator=lambda: self._held, poolclass=StaticPool)
        engine.dialect.do_close = lambda dbapi_connection: None  # pyright: ignore[reportAttributeAccessIssue]
        return engine

    def open(self, fate: Fate, step: Callable[[], None]) -> sa.Engine:
        """A process's way in; `step` is called wherever the process might die."""
        engine = self._engine()
        commit = engine.dialect.do_commit

        def do_commit(dbapi_connection: Any) -> None:
            step()
            if fate.strikes("refused"):
                raise _failed("could not serialize access")
            commit(dbapi_connection)
            self.commits += 1
            step()
            if fate.strikes("unanswered"):
                raise _failed("the connection is lost")

        engine.dialect.do_commit = do_commit  # pyright: ignore[reportAttributeAccessIssue]

        @event.listens_for(engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        @event.listens_for(engine, "before_cursor_execute")
        def _before(*_: object) -> None:
            step()

        return engine


def _failed(reason: str) -> OperationalError:
    return OperationalError(None, None, sqlite3.OperationalError(reason))
