"""A simulated database: in memory, outlives its processes, and fails as databases do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from shared.eventstore import log
from shared.runtime.simulated.faults import NONE, Fate
from shared.runtime.simulated.luck import Luck


class Crashed(BaseException):
    """The process that uses the store dies at this point."""


class SimulatedStore:
    """One service's database. Runs reuse it one after the other, since a new engine compiles its statements anew.

    `writes` is the engine for processes, which fails as `fate` decides; `reads` never fails. `on_commit` is called
    after each commit.
    """

    def __init__(self, tables: tuple[sa.MetaData, ...], sources: tuple[str, ...]) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.fate = Fate(NONE, Luck("none"))
        self.on_commit: Callable[[], object] = lambda: None
        self.reads, self.writes = self._engine(), self._engine()
        with self.reads.begin() as connection:
            log.create(connection, sources)
            for metadata in tables:
                metadata.create_all(connection)
        self._new = self._connection.serialize()
        self._make_fail()

    def reset(self, fate: Fate, on_commit: Callable[[], object]) -> None:
        """Empty the tables for another run."""
        self._connection.deserialize(self._new)
        self.fate, self.on_commit = fate, on_commit

    def image(self) -> bytes:
        """The content of the database."""
        return self._connection.serialize()

    def restore(self, image: bytes) -> None:
        """Replace the content with an earlier `image`."""
        self.abandon()
        self._connection.deserialize(image)

    def abandon(self) -> None:
        """Roll back the transaction of a process that has died."""
        if self._connection.in_transaction:
            self._connection.rollback()

    def step(self) -> None:
        """Let the process take a step, or die. Raises Crashed."""
        if self.fate.strikes("crashed"):
            raise Crashed

    def _engine(self) -> sa.Engine:
        engine = sa.create_engine("sqlite://", creator=lambda: self._connection, poolclass=StaticPool)
        engine.dialect.do_close = lambda dbapi_connection: None  # pyright: ignore[reportAttributeAccessIssue]
        return engine

    def _make_fail(self) -> None:
        engine, commit = self.writes, self.writes.dialect.do_commit

        def do_commit(dbapi_connection: Any) -> None:
            self.step()
            if self.fate.strikes("refused"):
                raise _failed("could not serialize access")
            commit(dbapi_connection)
            self.on_commit()
            self.step()
            if self.fate.strikes("unanswered"):
                raise _failed("the connection is lost")

        engine.dialect.do_commit = do_commit  # pyright: ignore[reportAttributeAccessIssue]

        @event.listens_for(engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        @event.listens_for(engine, "before_cursor_execute")
        def _before(*_: object) -> None:
            self.step()


def _failed(reason: str) -> OperationalError:
    return OperationalError(None, None, sqlite3.OperationalError(reason))
