"""Answers pulls of one service's log from its database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import sqlalchemy as sa

from shared.eventstore import log_reader
from shared.eventstore.divergence import Divergence, ReaderPosition, divergence
from shared.messages.messages import EventBatch
from shared.messages.topology import inbox, reader_of
from shared.messages.wire import MAX_BYTES, MAX_EVENTS, KnownPosition, MessageBody, Pull

AddressedMessage: TypeAlias = tuple[str, MessageBody]
"""The name of a queue, and the body to send to it."""


def read_batch(engine: sa.Engine, source: str, after: int, limit: int) -> EventBatch:
    """The events of a log behind position `after`: at most `limit`, and about MAX_BYTES. `last == after`: there is
    none.

    Raises DBAPIError.
    """
    with engine.connect() as connection:
        before, events = log_reader.read_chained(connection, source, after, limit, MAX_BYTES)
    reached = events[-1].hash if events else before
    return EventBatch(source, after + 1, after + len(events), events, before, reached)


def answers(engine: sa.Engine, pull: Pull) -> Iterator[AddressedMessage]:
    """The messages that answer a pull: the events. When the reader has applied other events than the log holds, also a
    Divergence to the reader and its position to the log's writer, so that both stop. Raises DBAPIError."""
    part = read_batch(engine, pull.source, pull.after, min(pull.limit, MAX_EVENTS))
    contradicted = not part.before or (pull.hash and part.before != pull.hash)
    if contradicted and (found := _found(engine, pull)):
        yield pull.queue, found
        yield inbox(found.source, ()).name, KnownPosition(found.reader, found.source, pull.after, pull.hash)
    yield pull.queue, part


def _found(engine: sa.Engine, pull: Pull) -> Divergence | None:
    if not (reader := reader_of(pull.queue)):
        return None
    with engine.connect() as connection:
        return divergence(connection, reader, pull.source, ReaderPosition(pull.after, pull.hash))
