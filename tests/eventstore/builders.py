"""Logs, rows and agendas for the tests, on connections of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.eventstore import log, log_reader
from shared.eventstore.recorded import RecordedEvent
from tests.runtime.builders import META, START
from tests.runtime.toy import ToyPressed


def event(position: int, stream: str, version: int, note: str = "", at: datetime | None = None) -> RecordedEvent:
    """An event for the log of `button`, one second later for each position."""
    pressed = ToyPressed(button=stream.partition("-")[2], note=note)
    return RecordedEvent(
        "button", position, stream, version, f"id-{position}", pressed.type(), pressed.model_dump_json(),
        META.model_dump_json(), at or START + timedelta(seconds=position),
    )  # fmt: skip


def events(first: int, count: int, stream: str = "button-a") -> list[RecordedEvent]:
    """So many events of one stream, whose versions are its positions."""
    return [event(position, stream, position) for position in range(first, first + count)]


def append(engine: sa.Engine, before: log.Head, new: list[RecordedEvent]) -> log.Head:
    """Append in a transaction of its own."""
    with engine.begin() as connection:
        return log.append(connection, before, new)


def created(engine: sa.Engine, count: int = 0) -> log.Head:
    """A log with so many events; its head."""
    with engine.begin() as connection:
        log.create(connection, ["lamp"])
        return log.append(connection, log.read_head(connection), events(1, count))


def read(engine: sa.Engine, after: int = 0, limit: int = 1_000) -> list[RecordedEvent]:
    with engine.connect() as connection:
        return log_reader.read(connection, "button", after, limit)


class Transaction:
    """A connection for parts that are given one; `begin` opens it for a while."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._connection: sa.Connection | None = None

    def __call__(self) -> sa.Connection:
        assert self._connection is not None
        return self._connection

    @contextmanager
    def begin(self, *, rollback: bool = False) -> Iterator[sa.Connection]:
        """A transaction that commits, or not."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            self._connection = connection
            yield connection
            if rollback:
                transaction.rollback()
        self._connection = None
