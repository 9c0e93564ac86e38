"""Reads the gauges that come from a writer's database at each scrape, in at most one percent of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from shared.eventstore import schema
from shared.runtime.service import Service
from shared.runtime.settings import Settings
from shared.scheduler.scheduler import FAILED, WAITING
from shared.telemetry import metrics
from shared.telemetry.metric import Sample, seconds_since

FRESH_SECONDS = 5.0
SHARE = 0.01
logger = structlog.get_logger()

_STATISTICS = sa.text(
    """
    SELECT numbackends, xact_commit, xact_rollback, deadlocks, blks_hit, blks_read,
        pg_database_size(datid) AS size,
        (SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
         WHERE datname = current_database()) AS oldest
    FROM pg_stat_database WHERE datname = current_database()
    """
)
_AGENDA = sa.select(schema.agenda.c.state, sa.func.count(), sa.func.min(schema.agenda.c.due_at)).group_by(
    schema.agenda.c.state
)
_CAME_AT = (
    sa.select(schema.log.c.stream, schema.log.c.at)
    .where(
        schema.log.c.stream == sa.func.any(sa.bindparam("streams", type_=sa.ARRAY(sa.Text))),
        schema.log.c.type.startswith(sa.bindparam("type")),
    )
    .order_by(schema.log.c.position)
)


class Gauges:
    """The gauges of one service. A query that took long is not repeated soon: queries take at most one percent of the
    time. Gauges that can't be read are left out; `kameng_database_up` is 0 when the database is the cause."""

    def __init__(self, service: Service, settings: Settings, engine: sa.Engine) -> None:
        self._service, self._settings, self._engine = service, settings, engine
        mine = (service.name,)
        self._parts = [
            _Part(lambda connection: _statistics(connection, mine), [(metrics.DATABASE_UP, mine, 0)]),
            _Part(lambda connection: _agenda(connection, mine)),
            _Part(lambda connection: service.gauges(connection, datetime.now(UTC), settings)),
        ]

    def look(self) -> list[Sample]:
        """The newest values: read now, or a while ago."""
        return [figure for part in self._parts for figure in part.look(self._engine, self._service.name)]


class _Part:
    """Gauges that are read together."""

    def __init__(self, read: Callable[[sa.Connection], Iterable[Sample]], without: Sequence[Sample] = ()) -> None:
        self._read, self._without = read, without
        self._found: Sequence[Sample] = ()
        self._again_at = 0.0

    def look(self, engine: sa.Engine, service: str) -> Sequence[Sample]:
        started = time.monotonic()
        if started < self._again_at:
            return self._found
        try:
            with engine.connect() as connection:
                self._found = tuple(self._read(connection))
        except DBAPIError as error:
            logger.warning("figures can't be looked up", service=service, error=type(error).__name__)
            self._found = self._without
        ended = time.monotonic()
        self._again_at = ended + max(FRESH_SECONDS, (ended - started) / SHARE)
        return self._found


def _statistics(connection: sa.Connection, mine: tuple[str, ...]) -> Iterator[Sample]:
    yield metrics.DATABASE_UP, mine, 1
    row = connection.execute(_STATISTICS).one()
    yield metrics.DATABASE_CONNECTIONS, mine, row.numbackends
    yield metrics.DATABASE_COMMITS, mine, row.xact_commit
    yield metrics.DATABASE_ROLLBACKS, mine, row.xact_rollback
    yield metrics.DATABASE_DEADLOCKS, mine, row.deadlocks
    yield metrics.DATABASE_BLOCKS_HIT, mine, row.blks_hit
    yield metrics.DATABASE_BLOCKS_READ, mine, row.blks_read
    yield metrics.DATABASE_SIZE, mine, row.size
    yield metrics.DATABASE_OLDEST_SECONDS, mine, float(row.oldest)


def _agenda(connection: sa.Connection, mine: tuple[str, ...]) -> Iterator[Sample]:
    states = {state: (count, due_at) for state, count, due_at in connection.execute(_AGENDA)}
    waiting, due_at = states.get(WAITING, (0, None))
    failed, _ = states.get(FAILED, (0, None))
    yield metrics.AGENDA_WAITING, mine, waiting
    yield metrics.AGENDA_FAILED, mine, failed
    yield metrics.AGENDA_OVERDUE_SECONDS, mine, seconds_since(due_at, datetime.now(UTC))


def came_at(engine: sa.Engine, streams: Sequence[str], event: str) -> Mapping[str, datetime]:
    """By stream, when its last event of this name was recorded. Raises DBAPIError."""
    with engine.connect() as connection:
        rows = connection.execute(_CAME_AT, {"streams": list(streams), "type": f"{event}.v"})
        return {stream: datetime.fromisoformat(at) for stream, at in rows}
