"""Rebuilds a service's tables from the logs, beside the live tables, and compares or replaces those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from shared.eventstore import chain_check, log, schema
from shared.eventstore.engines import open_engine
from shared.projections import versions
from shared.projections.projection import Projection
from shared.projections.replay import (
    PAGE,
    Logs,
    Progress,
    fold,
    silent,
)
from shared.scheduler import expected
from shared.scheduler.expected import Plans
from shared.writer.aggregate_cache import AggregateCache, AggregateType

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows of one table that differ from the rebuild: a few primary keys, and the count."""

    table: str
    keys: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: events folded, tampering of the log, tables, snapshots and scheduled items that differ.
    `walked` counts the events of all logs that were read."""

    service: str
    events: int
    tampered: int | None
    differences: tuple[Difference, ...]
    stale_snapshots: tuple[str, ...] = ()
    walked: int = 0

    @property
    def ok(self) -> bool:
        """Whether the log is intact and everything derived from it is equal to the rebuild."""
        return self.tampered is None and not self.differences and not self.stale_snapshots


def positions(connection: sa.Connection, service: str) -> dict[str, int]:
    """By source, how far a service's tables have applied the logs, its own included."""
    rows = connection.execute(sa.select(schema.readers.c.source, schema.readers.c.position))
    return {service: log.read_head(connection).position} | {row.source: row.position for row in rows}


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[str, bytes]]:
    keys = list(table.primary_key.columns)
    binary = connection.dialect.name == "postgresql"
    sorting = [sa.collate(key, "C") if binary and isinstance(key.type, sa.String) else key for key in keys]
    for row in connection.execution_options(yield_per=PAGE).execute(sa.select(table).order_by(*sorting)).mappings():
        body = json.dumps(dict(row), sort_keys=True, default=repr).encode()
        yield json.dumps([row[column.name] for column in keys]), hashlib.blake2b(body, digest_size=16).digest()


def _compare(live: sa.Connection, rebuilt: sa.Connection, table: sa.Table) -> Difference | None:
    left, right = _rows(live, table), _rows(rebuilt, table)
    a, b = next(left, None), next(right, None)
    keys: list[str] = []
    count = 0
    while a is not None or b is not None:
        if a == b:
            a, b = next(left, None), next(right, None)
            continue
        key = min((row[0] for row in (a, b) if row is not None), key=json.loads)
        keys, count = ([*keys, key] if count < SHOWN else keys), count + 1
        if a is not None and a[0] == key:
            a = next(left, None)
        if b is not None and b[0] == key:
            b = next(right, None)
    return Difference(table.name, tuple(keys), count) if count else None


@contextmanager
def on_disk() -> Iterator[sa.Engine]:
    """A temporary empty database on disk, since tables may be larger than memory."""
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'rebuilt.sqlite3'}", writer=True)
        yield engine
        engine.dispose()


def verify(
    service: str, projection_type: type[Projection], foreign_events: frozenset[str],
    aggregate_types: dict[str, AggregateType], logs: Logs, progress: Progress = silent,
    scratch: Callable[[], AbstractContextManager[sa.Engine]] = on_disk, *,
    plans: Plans, now: datetime,
) -> Verdict:  # fmt: skip
    """Check a service's log for tampering, rebuild its tables on `scratch` and compare them with the live ones row by
    row, and compare its scheduled items with those that the log says must exist `now`.

    It reads one snapshot of the live tables, so it may run while the service works.
    """
    tampered = chain_check.check_chain(logs[service])
    with scratch() as target, logs[service].connect() as live:
        if live.dialect.name == "postgresql":
            live.execution_options(isolation_level="REPEATABLE READ")
        upto = positions(live, service)
        folded = fold(service, projection_type, foreign_events, logs, upto, target, progress)
        with target.connect() as rebuilt:
            compared = (_compare(live, rebuilt, table) for table in projection_type.metadata.sorted_tables)
            differences = tuple(difference for difference in compared if difference)
        if keys := expected.amiss(live, service, plans, now).keys:
            differences += (Difference(schema.agenda.name, keys[:SHOWN], len(keys)),)
        stale = tuple(_stale_snapshots(service, aggregate_types, live))
    found = tampered.position if tampered else None
    return Verdict(service, folded, found, differences, stale, sum(upto.values()))


def _stale_snapshots(service: str, aggregate_types: dict[str, AggregateType], live: sa.Connection) -> Iterator[str]:
    """The streams whose snapshot differs from the state that their events give."""
    for stream in live.execute(sa.select(schema.snapshots.c.stream)).scalars().all():
        cached = AggregateCache(service, aggregate_types, lambda: live)
        plain = AggregateCache(service, aggregate_types, lambda: live, use_snapshots=False)
        state = plain.get(stream).state
        try:
            is_stale = cached.get(stream).state != state
        except ValueError:  # the snapshot does not even have the state's fields
            is_stale = True
        if is_stale:
            yield stream


def rebuild(
    service: str, projection_type: type[Projection], foreign_events: frozenset[str], logs: Logs, live: sa.Engine,
    progress: Progress = silent, *, plans: Plans, now: datetime,
) -> int:  # fmt: skip
    """Rebuild the tables, replace the live ones, and plan missing scheduled items anew, in one transaction. The writer
    must be stopped.

    The live tables may have an older version's columns. Snapshots are dropped; the writer saves new ones. Returns how
    many events were folded.
    """
    with on_disk() as target:
        with logs[service].connect() as connection:
            upto = positions(connection, service)
        folded = fold(service, projection_type, foreign_events, logs, upto, target, progress)
        with target.connect() as rebuilt, live.begin() as connection:
            if positions(connection, service) != upto:
                raise log.Fenced(f"{service} went on working while its tables were rebuilt")
            connection.execute(sa.delete(schema.snapshots))
            expected.plan_anew(connection, expected.amiss(connection, service, plans, now))
            versions.rebuilt(connection, projection_type)
            projection_type.metadata.drop_all(connection)
            projection_type.metadata.create_all(connection)
            for table in projection_type.metadata.sorted_tables:
                for page in rebuilt.execute(sa.select(table)).mappings().partitions(PAGE):
                    rows: list[dict[str, Any]] = [dict(row) for row in page]
                    connection.execute(sa.insert(table), rows)
    return folded
