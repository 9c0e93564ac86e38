"""Long logs made of short ones: the streams of a pattern again and again, under ids of their own, chained as always."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa

from shared.eventstore import log
from shared.eventstore.log import link, to_text
from shared.eventstore.recorded import RecordedEvent

COPY = "COPY log (position, stream, version, id, type, data, meta, at, hash) FROM STDIN"
MOVE = "UPDATE head SET position = %s, at = %s, hash = %s"
STEP = timedelta(microseconds=100)
Rename = Callable[[str, int], str]


def extend(
    engine: sa.Engine,
    pattern: Sequence[RecordedEvent],
    copies: int,
    rename: Rename,
    progress: Callable[[int], None] = lambda _: None,
) -> log.Head:
    """Append so many copies of a pattern, whole streams from their first event on, in one transaction.

    `rename(text, number)` gives a stream's name, an event's data or its metadata the ids of a copy.
    """
    with engine.begin() as connection:
        before = log.read_head(connection)
        raw = connection.connection.driver_connection
        assert raw is not None
        with raw.cursor() as cursor:
            after = before
            with cursor.copy(COPY) as copying:
                for recorded, chain in _chained(before, pattern, copies, rename, progress):
                    after = log.Head(recorded.position, recorded.at, chain, before.epoch)
                    copying.write_row(
                        (
                            recorded.position, recorded.stream, recorded.version, recorded.id, recorded.type,
                            recorded.data, recorded.meta_json, to_text(recorded.at), chain,
                        )
                    )  # fmt: skip
            cursor.execute(MOVE, (after.position, to_text(after.at), after.hash))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE log")
    return after


def _chained(
    before: log.Head, pattern: Sequence[RecordedEvent], copies: int, rename: Rename, progress: Callable[[int], None]
) -> Iterator[tuple[RecordedEvent, bytes]]:
    position, at, chain = before.position, max(before.at, pattern[-1].at), before.hash
    for number in range(copies):
        for recorded in pattern:
            position, at = position + 1, at + STEP
            id_ = hashlib.md5(f"{number}/{recorded.id}".encode(), usedforsecurity=False).hexdigest()
            copy = RecordedEvent(
                recorded.source, position, rename(recorded.stream, number), recorded.version, id_, recorded.type,
                rename(recorded.data, number), rename(recorded.meta_json, number), at,
            )  # fmt: skip
            chain = link(chain, copy)
            yield copy, chain
        if number % 1_000 == 0:
            progress(position)
