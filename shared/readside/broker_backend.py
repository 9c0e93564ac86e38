"""The Backend of an HTTP process in the cluster: sends commands over the broker, queries the read side's database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.broker.client import BrokerBusy, BrokerClient
from shared.eventstore import schema
from shared.eventstore.divergence import Divergence, reached_by
from shared.eventstore.log import read_head
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.readside.backend import Busy, ServiceHealth
from shared.readside.positions import ReadModelProgress
from shared.runtime.service import HostContext
from shared.scheduler.scheduler import FAILED, WAITING

SEEN_SECONDS = 5.0
PATIENCE_SECONDS = 1.5  # so that a command for a service without a writer is answered within 2 s
LOOK_SECONDS = 0.2
PAGE = 1_000
logger = structlog.get_logger()


class BrokerBackend:
    """A Backend over a broker and the read side's PostgreSQL database, which the read side's writer keeps up to date.

    The writer publishes its ReadModelPosition. While a caller waits for a position, this class also looks it up in the
    database, since messages may be lost. Use it as a context manager.
    """

    def __init__(self, reader: str, reads: sa.Engine, amqp_url: str, context: HostContext) -> None:
        self.settings, self.secrets = context.settings, context.secrets
        self.clock, self.ids = context.clock, context.ids
        self.reads, self._reader = reads, reader
        self._marks = ReadModelProgress()
        self._client = BrokerClient(
            f"{reader} http",
            amqp_url,
            patience_seconds=PATIENCE_SECONDS,
            reader=reader,
            on_shown=self._marks.reached,
        )
        self._stop, self._asked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="read side", daemon=True)

    def __enter__(self) -> BrokerBackend:
        self._client.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._asked.set()
        self._thread.join()
        self._client.close()
        self.reads.dispose()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except SQLAlchemyError as error:
                # No server, or no tables or head yet: the read side's writer makes them when it first starts.
                logger.warning("the read side's database is not there yet", error=type(error).__name__)
                self._stop.wait(LOOK_SECONDS)
            if not self._marks.awaited():
                self._asked.wait()
                self._asked.clear()
            heard = -1
            while heard != self._marks.revision and not self._stop.is_set():
                heard = self._marks.revision
                self._stop.wait(LOOK_SECONDS)

    def _look(self) -> None:
        with self.reads.connect() as connection:
            rows = connection.execute(sa.select(schema.readers.c.source, schema.readers.c.position)).all()
            positions = {row.source: row.position for row in rows}
            positions[self._reader] = read_head(connection).position
        self._marks.reached(positions)

    async def send(self, service: str, message: CommandMessage) -> Reply:
        try:
            return await asyncio.wrap_future(self._client.send(service, message))
        except BrokerBusy as error:
            raise Busy(str(error)) from error

    async def wait_for_position(self, source: str, position: int) -> bool:
        self._asked.set()
        return await self._marks.wait(source, position, SEEN_SECONDS)

    @property
    def revision(self) -> int:
        return self._marks.revision

    async def wait_for_change(self, since: int, seconds: float) -> bool:
        self._asked.set()
        return await self._marks.wait_for_change(since, seconds)

    async def caught_up(self, source: str) -> bool:
        try:
            part = await self.pull(source, self._marks.position(source), PAGE)
        except (TimeoutError, Busy):
            return False
        return await self.wait_for_position(source, part.last)

    async def pull(self, source: str, after: int, limit: int) -> EventBatch:
        try:
            return await asyncio.to_thread(self._client.pull, source, after, limit)
        except BrokerBusy as error:
            raise Busy(str(error)) from error

    def health(self) -> Mapping[str, ServiceHealth]:
        """The read side's health without its lag: each writer reports its lag at its own `/readyz`."""
        states = sa.select(schema.agenda.c.state, sa.func.count()).group_by(schema.agenda.c.state)
        with self.reads.connect() as connection:
            agenda: dict[str, int] = {row[0]: row[1] for row in connection.execute(states)}
            parked = connection.execute(sa.select(sa.func.count()).select_from(schema.parked)).scalar_one()
            head = read_head(connection).position
            sources = reached_by(connection)
        diverged = [
            str(Divergence(self._reader, source, reached.position, reached.diverged))
            for source, reached in sources.items()
            if reached.diverged is not None
        ]
        fault = {source: reached.fault for source, reached in sources.items()}
        return {
            self._reader: ServiceHealth(
                head=head,
                lag=None,
                parked=parked,
                agenda_waiting=agenda.get(WAITING, 0),
                agenda_failed=agenda.get(FAILED, 0),
                diverged=diverged,
                held=[one.held for one in fault.values() if one.held],
                unknown={source: dict.fromkeys(one.unknown, 0) for source, one in fault.items() if one.unknown},
            )
        }
