"""Replays whole logs into projections; fetches only events that are folded, and writes rows in large batches."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from shared.eventstore import log_reader
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.unreadable import reading
from shared.projections.projection import Key, Projection, RowCache

PAGE = 2_000
MOST_BYTES_OF_A_CHARACTER = 4
UNWRITTEN = 20_000
Progress = Callable[[str, int, int], None]
Logs = dict[str, sa.Engine]
Page = tuple[list[RecordedEvent], int]


def silent(_source: str, _done: int, _total: int) -> None:
    """A progress callback that does nothing."""


def fold(
    service: str, projection_type: type[Projection], foreign_events: frozenset[str], logs: Logs, upto: dict[str, int],
    target: sa.Engine, progress: Progress = silent, after: dict[str, int] | None = None,
) -> int:  # fmt: skip
    """Fold the logs into tables on `target`, each from its start, or behind `after`, up to its position in `upto`.

    `foreign_events` names the foreign events that the projection folds. Returns how many events were folded. Raises
    LookupError for a log that ends before its position, and Unreadable for an event that can't be folded.
    """
    _check_ends(service, logs, upto)
    holder: list[sa.Connection] = []
    projection = projection_type(lambda: holder[0])
    folded = 0
    with _few_collections(), target.connect() as connection:
        holder.append(connection)
        filled = _made(projection_type.metadata, connection)
        if filled:
            projection.fill()
        for source, last in sorted(upto.items(), key=lambda item: item[0] != service):
            names = projection_type.own_event_names() if source == service else foreign_events
            for events, reached in _pages(logs[source], source, (after or {}).get(source, 0), last, names):
                _read_ahead(projection, events)
                for recorded in events:
                    with reading(recorded):
                        projection.apply(recorded.event, recorded)
                folded += len(events)
                if projection.unwritten >= UNWRITTEN:
                    _write(projection, connection)
                progress(source, reached, last)
        _write(projection, connection)
        if filled:
            _index(projection_type.metadata, connection)
    return folded


def _check_ends(service: str, logs: Logs, upto: dict[str, int]) -> None:
    for source, last in upto.items():
        with logs[source].connect() as connection:
            end = log_reader.last_position(connection)
        if end < last:
            raise LookupError(f"the log of {source} ends at {end}, yet {service} has applied it up to {last}")


def _made(metadata: sa.MetaData, connection: sa.Connection) -> bool:
    """Create missing tables. Returns whether all are empty; then they have no indexes yet except their keys."""
    if any(sa.inspect(connection).has_table(table.name) for table in metadata.sorted_tables):
        metadata.create_all(connection)
        connection.commit()
        return False
    for table in metadata.sorted_tables:
        connection.execute(sa.schema.CreateTable(table))
    connection.commit()
    return True


def _index(metadata: sa.MetaData, connection: sa.Connection) -> None:
    for table in metadata.sorted_tables:
        for index in table.indexes:
            connection.execute(CreateIndex(index))
    connection.commit()


def _write(projection: Projection, connection: sa.Connection) -> None:
    projection.flush()
    connection.commit()
    projection.committed()


def _pages(engine: sa.Engine, source: str, after: int, last: int, names: frozenset[str] | None) -> Iterator[Page]:
    """The events of these names, a page at a time, and the position up to which each page was read."""
    if engine.dialect.name != "postgresql":
        while after < last:
            page = _page(engine, source, after, last, names)
            yield page
            after = page[1]
        return
    with ThreadPoolExecutor(1) as reading:  # reads the next page while this one is folded
        coming = reading.submit(_page, engine, source, after, last, names) if after < last else None
        while coming is not None:
            page = coming.result()
            reached = page[1]
            coming = reading.submit(_page, engine, source, reached, last, names) if reached < last else None
            yield page


def _page(engine: sa.Engine, source: str, after: int, last: int, names: frozenset[str] | None) -> Page:
    with engine.connect() as connection:
        events = log_reader.read_named(connection, source, after, last, PAGE, names)
    size = sum(len(recorded.data) + len(recorded.meta_json) for recorded in events)
    is_whole = len(events) < PAGE and size * MOST_BYTES_OF_A_CHARACTER < log_reader.MOST_BYTES
    return events, last if is_whole else events[-1].position


def _read_ahead(projection: Projection, events: Sequence[RecordedEvent]) -> None:
    if projection.is_whole:
        return
    wanted: dict[RowCache, list[Key]] = defaultdict(list)
    for recorded in events:
        with reading(recorded):
            for rows, key in projection.reads(recorded.event):
                wanted[rows].append(key)
    for rows, keys in wanted.items():
        rows.get_many(keys)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Collect garbage less often: a replay makes many objects and few cycles, and collecting took a fifth of its
    time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
