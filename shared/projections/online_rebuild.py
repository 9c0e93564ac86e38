"""Rebuilds a service's tables on PostgreSQL while it works: folds the logs into new tables, then swaps them in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateSchema, DropSchema, DropTable
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.projections import versions
from shared.projections.projection import Projection
from shared.projections.rebuild import positions
from shared.projections.replay import Logs, Progress, fold
from shared.scheduler import expected
from shared.scheduler.expected import Plans

NEAR = 500
ROUNDS = 20
PATIENCE_SECONDS = 60.0
# Shorter than the server's deadlock_timeout: in a deadlock this transaction gives up, never the writer's.
LOCK_TIMEOUT = "300ms"
BUSY = ("55P03", "40P01")


class CannotRebuild(RuntimeError):
    """The new tables can't be swapped in; the live tables are unchanged."""


class OnlineRebuild:
    """One rebuild of one service's tables. `owner` is an engine whose role may change the database's schema.

    First, the logs are folded into another schema while the writer goes on. Then one transaction locks the tables,
    begins an epoch, which fences the writer, folds the events that came since, and moves the new tables in. The writer
    starts over by itself.
    """

    def __init__(
        self, service: str, projection_type: type[Projection], foreign_events: frozenset[str], logs: Logs,
        owner: sa.Engine, progress: Progress, *, plans: Plans, now: datetime,
    ) -> None:  # fmt: skip
        self._service, self._tables_cls, self._projects = service, projection_type, foreign_events
        self._logs, self._owner, self._progress = logs, owner, progress
        self._plans, self._now, self._lacks_plans = plans, now, False
        self._done: dict[str, int] = {}
        self._folded = 0
        self._tables = projection_type.metadata.sorted_tables
        with owner.connect() as connection:
            self._live: str = connection.execute(sa.select(sa.func.current_schema())).scalar_one()
        self._shadow = f"rebuild_{self._live}"

    def run(self) -> int:
        """Rebuild the tables. Returns how many events were folded. Raises CannotRebuild; then nothing has changed."""
        if not self._tables:
            return 0
        with self._alone(), self._beside() as target:
            for _ in range(ROUNDS):
                if self._catch_up(target) < NEAR:
                    break
            with target.begin() as connection:
                for table in self._tables:
                    connection.execute(sa.text(f"ANALYZE {_quoted(connection, table.name)}"))
            self._lacks_plans = self._looked_at_agenda()
            self._swap_when_possible(target)
        return self._folded

    @contextmanager
    def _alone(self) -> Iterator[None]:
        key = sa.func.hashtextextended(f"kameng {self._shadow}", 0)
        with self._owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
                raise CannotRebuild(f"another rebuild of {self._service} is under way")
            self._check_columns(connection)
            connection.execute(DropSchema(self._shadow, cascade=True, if_exists=True))
            connection.execute(CreateSchema(self._shadow))
            try:
                yield
            finally:
                connection.execute(DropSchema(self._shadow, cascade=True, if_exists=True))
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    def _check_columns(self, connection: sa.Connection) -> None:
        """Raise CannotRebuild when a live table has columns that this code does not know: newer code has added them."""
        found = sa.inspect(connection).get_multi_columns(schema=self._live)
        for table in self._tables:
            live = {column["name"] for column in found.get((self._live, table.name), [])}
            if unknown := sorted(live - {column.name for column in table.columns}):
                raise CannotRebuild(f"{table.name} has columns that this version does not know: {', '.join(unknown)}")

    @contextmanager
    def _beside(self) -> Iterator[sa.Engine]:
        url = self._owner.url
        options = f"{url.query.get('options', '')} -csearch_path={self._shadow} -csynchronous_commit=off".strip()
        engine = open_engine(url.update_query_dict({"options": options}), writer=False)
        try:
            yield engine
        finally:
            engine.dispose()

    def _looked_at_agenda(self) -> bool:
        """Whether the scheduled items differ from the log. Checked while the writer goes on, since it reads the log."""
        with self._owner.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            return bool(expected.amiss(connection, self._service, self._plans, self._now).keys)

    def _catch_up(self, target: sa.Engine) -> int:
        with self._logs[self._service].connect() as connection:
            upto = positions(connection, self._service)
        return self._fold(target, upto)

    def _fold(self, target: sa.Engine, upto: dict[str, int]) -> int:
        """Fold the logs up to these positions; returns how many events. A swap that failed keeps what it folded."""
        missing = sum(upto.values()) - sum(self._done.values())
        self._folded += fold(
            self._service, self._tables_cls, self._projects, self._logs, upto, target, self._progress, self._done
        )
        self._done = upto
        return missing

    def _swap_when_possible(self, target: sa.Engine) -> None:
        trying = Retrying(
            retry=retry_if_exception(_is_busy),
            wait=wait_random(0.05, 0.5),
            stop=stop_after_delay(PATIENCE_SECONDS),
            sleep=time.sleep,
            reraise=True,
        )
        try:
            trying(self._swap, target)
        except OperationalError as error:
            if not _is_busy(error):
                raise
            raise CannotRebuild(f"the tables of {self._service} were in use all the time") from error

    def _swap(self, target: sa.Engine) -> None:
        with self._owner.begin() as connection:
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            names = ", ".join(_quoted(connection, table.name) for table in self._tables)
            # Before the epoch: a writer locks the head last, so one that has locked it needs no other table any more.
            connection.execute(sa.text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
            log.next_epoch(connection)
            self._fold(target, positions(connection, self._service))
            for table in reversed(self._tables):
                connection.execute(DropTable(table))
            for table in self._tables:
                moved = f"{_quoted(connection, self._shadow)}.{_quoted(connection, table.name)}"
                connection.execute(sa.text(f"ALTER TABLE {moved} SET SCHEMA {_quoted(connection, self._live)}"))
            connection.execute(sa.delete(schema.snapshots))
            if self._lacks_plans:
                expected.plan_anew(connection, expected.amiss(connection, self._service, self._plans, self._now))
            versions.rebuilt(connection, self._tables_cls)


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) in BUSY
