"""A database in memory that outlives the processes working on it, and fails as databases do."""

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
    """The process at work has died, here and now."""


class SimulatedStore:
    """One service's database, used by one run after the other: a new one would have to compile its statements anew.

    `writes` is a process's way in, which fails as `fate` says; `reads` never fails. `on_commit` hears that something
    became durable.
    """

    def __init__(self, tables: tuple[sa.MetaData, ...], sources: tuple[str, ...]) -> None:
        self._held = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.fate = Fate(NONE, Luck("none"))
        self.on_commit: Callable[[], object] = lambda: None
        self.reads, self.writes = self._engine(), self._engine()
        with self.reads.begin() as connection:
            log.create(connection, sources)
            for metadata in tables:
                metadata.create_all(connection)
        self._new = self._held.serialize()
        self._make_fail()

    def reset(self, fate: Fate, on_commit: Callable[[], object]) -> None:
        """Begin another run, with nothing in the tables."""
        self._held.deserialize(self._new)
        self.fate, self.on_commit = fate, on_commit

    def image(self) -> bytes:
        """All that the database holds."""
        return self._held.serialize()

    def restore(self, image: bytes) -> None:
        """Have what `image` gave at an earlier time, and nothing of what came later."""
        self.abandon()
        self._held.deserialize(image)

    def abandon(self) -> None:
        """Whoever was in a transaction is gone: it never happened."""
        if self._held.in_transaction:
            self._held.rollback()

    def step(self) -> None:
        """The process at work goes one step on, or dies. Raises Crashed."""
        if self.fate.strikes("crashed"):
            raise Crashed

    def _engine(self) -> sa.Engine:
        engine = sa.create_engine("sqlite://", creator=lambda: self._held, poolclass=StaticPool)
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
