"""Reads the logs for each endpoint from its cursor, and posts the events that its filter lets through.

An endpoint has one lane for each log that its filter needs, one for retries and one for pings. A lane posts one event
after the other, so events of one log arrive in order as long as none fails. Lanes do not wait for one another. An event
that fails goes to the endpoint's queue, and the lane goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.delivery_store import DeliveryStore, Outcome
from services.gateway.webhooks.filters import lets_through, sources_of
from services.gateway.webhooks.pings import ping_body
from services.gateway.webhooks.position_search import position_at
from services.gateway.webhooks.posting import Answer, Poster
from services.gateway.webhooks.signing import generations, headers
from services.gateway.webhooks.snapshot import PING, Cursor, Delivery, Endpoint, Snapshot
from shared.broker.cloudevents import structured
from shared.contracts import Metadata, UnknownMessage
from shared.contracts.gateway import DisableWebhookEndpoint
from shared.eventstore.log import to_text
from shared.messages.messages import CommandMessage
from shared.readside.backend import Backend, Busy

PAGE = 100
DUE = 50
LOOK_SECONDS = 1.0
SHORTEST_LOOK_SECONDS = 0.05
REST_SECONDS = 5.0
SETTLE_SECONDS = 5.0
PURGE_SECONDS = 60.0
GONE = 410
RETRIES, PINGS = "retries", "pings"
ACTOR = "system:gateway"
logger = structlog.get_logger()
T = TypeVar("T")
Lane = tuple[str, str]


class Unreadable(RuntimeError):
    """An event that this code can't read. It and the events behind it in the log wait for newer code."""


@dataclass
class Counts:
    """Counts since the start."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    disabled: int = 0


class Dispatcher:
    """Posts events to endpoints. Only one dispatcher may run on a database.

    `snapshot` is what it read last; `held` has the lanes that can't go on, with the reason. It reads again whenever the
    read models change, and at least every `look_seconds`.
    """

    def __init__(
        self, backend: Backend, engine: sa.Engine, poster: Callable[[], Poster], *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        """`engine` writes to the gateway's database. `poster` is called on the event loop that runs the dispatcher."""
        self.counts, self.snapshot = Counts(), Snapshot()
        self.held: dict[Lane, str] = {}
        self._backend, self._store, self._make_poster = backend, DeliveryStore(backend.reads, engine), poster
        self._look_seconds = look_seconds
        self._running: dict[Lane, asyncio.Task[None]] = {}
        self._resting: dict[Lane, float] = {}
        self._disable_after = timedelta(seconds=backend.settings.of(GatewaySettings).webhook_disable_after_seconds)
        self._purged_at: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until stopped. The database and the other services may be down for a while."""
        self._stop, self._again, self._poster = stop, asyncio.Event(), self._make_poster()
        # One thread, so that writes about an endpoint's lanes come one after the other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhooks")
        try:
            while not stop.is_set():
                revision = self._backend.revision
                self._again.clear()
                try:
                    await self._turn()
                except SQLAlchemyError as error:
                    logger.warning("the gateway's database can't be read", error=type(error).__name__)
                except Exception:
                    logger.critical("the dispatcher failed; trying again", exc_info=True)
                    await asyncio.sleep(REST_SECONDS)
                await self._pause(revision)
        finally:
            await self._settle()

    async def _pause(self, revision: int) -> None:
        """Wait until there may be more to do."""
        await asyncio.sleep(SHORTEST_LOOK_SECONDS)
        waits: list[Coroutine[Any, Any, bool]] = [self._stop.wait(), self._again.wait()]
        if any(endpoint.status == "enabled" for endpoint in self.snapshot.endpoints.values()):
            waits.append(self._backend.wait_for_change(revision, self._look_seconds))
        tasks = [asyncio.create_task(wait) for wait in waits]
        await asyncio.wait(tasks, timeout=self._look_seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _settle(self) -> None:
        running = list(self._running.values())
        if running:
            await asyncio.wait(running, timeout=SETTLE_SECONDS)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()
        await self._poster.close()
        self._thread.shutdown()

    async def _database(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*arguments, **named))

    # Finding work

    async def _turn(self) -> None:
        self.snapshot = snapshot = await self._database(self._store.look)
        now = self._backend.clock.now()
        # Await nothing between reading the snapshot and starting lanes: a lane that ends meanwhile would make it stale.
        for endpoint in snapshot.endpoints.values():
            for name, work in self._due(endpoint, snapshot, now).items():
                self._start((endpoint.endpoint_id, name), work)
        for endpoint in snapshot.endpoints.values():
            if endpoint.status == "removed":
                await self._forget(endpoint, snapshot)
        if self._purged_at is None or (now - self._purged_at).total_seconds() >= PURGE_SECONDS:
            more = await self._database(self._store.purge, now)
            self._purged_at = None if more else now

    def _due(
        self, endpoint: Endpoint, snapshot: Snapshot, now: datetime
    ) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The lanes of an endpoint that have something to do."""
        endpoint_id, queue, at = endpoint.endpoint_id, snapshot.queues.get(endpoint.endpoint_id), to_text(now)
        lanes: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        if endpoint.status == "removed":
            return lanes
        if queue and queue.ping_at is not None:
            lanes[PINGS] = lambda: self._queued(endpoint_id, pings=True)
        if endpoint.status != "enabled" or snapshot.health(endpoint).is_resting(now):
            return lanes
        if queue and queue.due_at is not None and queue.due_at <= at:
            lanes[RETRIES] = lambda: self._queued(endpoint_id, pings=False)
        for source in sources_of(endpoint.events):
            cursor = snapshot.cursors.get((endpoint_id, source))
            is_new = cursor is None or cursor.since != endpoint.since_of(source)
            if cursor is None or is_new:
                lanes[source] = lambda source=source: self._begin(endpoint, source)
            elif cursor.position < snapshot.reached.get(source, 0):
                lanes[source] = lambda source=source, cursor=cursor: self._read(endpoint_id, source, cursor)
        return lanes

    def _start(self, lane: Lane, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.get_running_loop()
        if lane in self._running or self._resting.get(lane, 0.0) > loop.time():
            return
        self._running[lane] = task = loop.create_task(work())
        task.add_done_callback(lambda done: self._ended(lane, done))

    def _ended(self, lane: Lane, task: asyncio.Task[None]) -> None:
        self._running.pop(lane, None)
        self._again.set()
        error = None if task.cancelled() else task.exception()
        if error is None:
            self.held.pop(lane, None)
            self._resting.pop(lane, None)
            return
        self._resting[lane] = task.get_loop().time() + REST_SECONDS
        self.held[lane] = type(error).__name__
        expected = isinstance(error, SQLAlchemyError | TimeoutError | Busy | Unreadable)
        facts = {"endpoint": lane[0], "lane": lane[1], "error": type(error).__name__}
        if expected:
            logger.warning("a lane of webhooks waits", **facts)
        else:
            logger.error("a lane of webhooks failed", **facts, exc_info=error)

    async def _forget(self, endpoint: Endpoint, snapshot: Snapshot) -> None:
        endpoint_id = endpoint.endpoint_id
        self.held = {lane: why for lane, why in self.held.items() if lane[0] != endpoint_id}
        kept = endpoint_id in snapshot.endpoint_health or endpoint_id in snapshot.queues
        if kept or any(one == endpoint_id for one, _ in snapshot.cursors):
            await self._database(self._store.forget, endpoint_id)

    def _current(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint as last read, if events may be posted to it now."""
        endpoint = self.snapshot.endpoints.get(endpoint_id)
        return endpoint if endpoint and endpoint.status == "enabled" and not self._stop.is_set() else None

    # Lanes

    async def _begin(self, endpoint: Endpoint, source: str) -> None:
        """Find the position of a log that deliveries start behind."""
        since = endpoint.since_of(source)
        head = self.snapshot.reached.get(source, 0)
        position = await position_at(self._backend.pull, source, head, datetime.fromisoformat(since))
        await self._database(self._store.start_at, endpoint.endpoint_id, source, since, position)

    async def _read(self, endpoint_id: str, source: str, cursor: Cursor) -> None:
        """Post a page of a log, up to the position that the read models have reached."""
        reached = self.snapshot.reached.get(source, 0)
        part = await self._backend.pull(source, cursor.position, PAGE)
        passed = cursor.position
        for recorded in part.events:
            endpoint = self._current(endpoint_id)
            if recorded.position > reached or endpoint is None or endpoint.since_of(source) != cursor.since:
                break
            if not lets_through(endpoint.events, source, recorded.name):
                passed = recorded.position
                continue
            try:
                body = structured(recorded)
            except (UnknownMessage, ValidationError) as error:
                raise Unreadable(f"{source} at {recorded.position}: {type(error).__name__}") from None
            delivery = Delivery(recorded.id, source, recorded.position, recorded.type)
            outcome = await self._attempt(endpoint, delivery, body, cursor)
            cursor = Cursor(cursor.since, recorded.position)
            passed = recorded.position
            if not outcome.is_current or outcome.health.is_resting(self._backend.clock.now()):
                return
        if passed > cursor.position:
            await self._database(self._store.move, endpoint_id, source, cursor, passed)

    async def _queued(self, endpoint_id: str, *, pings: bool) -> None:
        """Post the deliveries that are due."""
        now = self._backend.clock.now
        unreadable: Unreadable | None = None
        for delivery in await self._database(self._store.due, endpoint_id, DUE, now(), pings=pings):
            endpoint = self.snapshot.endpoints.get(endpoint_id) if pings else self._current(endpoint_id)
            if endpoint is None or endpoint.status == "removed" or self._stop.is_set():
                return
            try:
                body = ping_body(delivery, now()) if pings else await self._body(delivery)
            except Unreadable as error:
                unreadable = error
                continue
            outcome = await self._attempt(endpoint, delivery, body)
            if not pings and outcome.health.is_resting(now()):
                return
        if unreadable:
            raise unreadable

    async def _body(self, delivery: Delivery) -> str:
        events = (await self._backend.pull(delivery.source, delivery.position - 1, 1)).events
        try:
            return structured(events[0])
        except (IndexError, UnknownMessage, ValidationError) as error:
            raise Unreadable(f"{delivery.source} at {delivery.position}: {type(error).__name__}") from None

    async def _attempt(
        self, endpoint: Endpoint, delivery: Delivery, body: str, before: Cursor | None = None
    ) -> Outcome:
        clock, ids, secrets = self._backend.clock, self._backend.ids, self._backend.secrets
        began = clock.now()
        signing = generations(endpoint.generation, endpoint.former_until, began)
        signed = headers(secrets, endpoint.endpoint_id, signing, delivery.event_id, began, body)
        answer = await self._poster.post(endpoint.url, signed, body.encode())
        now = clock.now()
        outcome = await self._database(self._store.record, endpoint, delivery, answer, began, now, ids.new_id(), before)
        self.counts.delivered += answer.taken
        self.counts.failed += not answer.taken
        self.counts.given_up += outcome.given_up
        if delivery.source != PING and not answer.taken:
            await self._disable_if_dead(endpoint, outcome, answer, now)
        return outcome

    async def _disable_if_dead(self, endpoint: Endpoint, outcome: Outcome, answer: Answer, now: datetime) -> None:
        """Disable an endpoint that answers 410 (gone), or has failed for too long."""
        if answer.status == GONE:
            reason = "gone"
        elif outcome.health.is_given_up(now, self._disable_after):
            reason = "failing"
        else:
            return
        command_id = self._backend.ids.new_id()
        meta = Metadata(correlation_id=command_id, causation_id=command_id, actor=ACTOR)
        command = DisableWebhookEndpoint(endpoint_id=endpoint.endpoint_id, reason=reason)
        reply = await self._backend.send("gateway", CommandMessage(command_id, command, meta))
        if reply.outcome != "accepted":
            raise RuntimeError(f"an endpoint was not disabled: {reply.outcome} {reply.code}")
        self.counts.disabled += 1
        logger.warning("disabled a webhook endpoint", endpoint=endpoint.endpoint_id, reason=reason)
        await self._backend.wait_for_position(reply.source, reply.position)
        self._again.set()
