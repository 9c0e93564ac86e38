"""Runs a dispatcher: in a thread of a larger process, or in a process of its own with standbys."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

import sqlalchemy as sa
import structlog

from services.gateway import metrics
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.dispatcher import LOOK_SECONDS, Dispatcher
from services.gateway.webhooks.filters import sources_of
from services.gateway.webhooks.posting import Poster
from shared.eventstore.leadership import Leadership
from shared.readside.backend import Backend
from shared.telemetry.metric import seconds_since
from shared.telemetry.serving import Reading

ROLE = "webhooks"
STANDBY_SECONDS = 0.5
logger = structlog.get_logger()


def dispatcher_of(backend: Backend, engine: sa.Engine, *, look_seconds: float = LOOK_SECONDS) -> Dispatcher:
    """A dispatcher, as the settings say. `engine` writes to the gateway's database."""
    private = backend.settings.of(GatewaySettings).webhook_private
    return Dispatcher(backend, engine, lambda: Poster(private=private), look_seconds=look_seconds)


@contextmanager
def in_thread(dispatcher: Dispatcher) -> Iterator[None]:
    """Dispatch in a thread while the context is open."""
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        ready.set()
        await dispatcher.run(stop)

    def work() -> None:
        try:
            loop.run_until_complete(run())
        except Exception:
            logger.critical("webhooks are no longer dispatched", exc_info=True)
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="webhooks", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        with suppress(RuntimeError):  # the loop is closed when it broke
            loop.call_soon_threadsafe(stop.set)
        thread.join()


class Turns:
    """Lets one of several processes dispatch: the one that holds a lock in the gateway's database."""

    def __init__(self, dispatcher: Dispatcher, engine: sa.Engine) -> None:
        self.leads = False
        self._dispatcher, self._url = dispatcher, engine.url

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch or stand by, until stopped."""
        loop = asyncio.get_running_loop()
        lost = asyncio.Event()
        lead = Leadership(self._url, "gateway", lambda: loop.call_soon_threadsafe(lost.set), ROLE)
        while not stop.is_set():
            lost.clear()
            self.leads = await asyncio.to_thread(lead.acquire)
            if not self.leads:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), STANDBY_SECONDS)
                continue
            try:
                await self._dispatch(stop, lost)
            finally:
                self.leads = False
                await asyncio.to_thread(lead.release)

    async def _dispatch(self, *ends: asyncio.Event) -> None:
        over = asyncio.Event()

        async def end() -> None:
            waiting = [asyncio.create_task(one.wait()) for one in ends]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                over.set()
            finally:
                for one in waiting:
                    one.cancel()

        watching = asyncio.create_task(end())
        try:
            await self._dispatcher.run(over)
        finally:
            watching.cancel()


def readings(dispatcher: Dispatcher, now: Callable[[], datetime]) -> Sequence[Reading]:
    """Metrics: counts since the start, and figures of the last snapshot."""
    counts = dispatcher.counts
    return (
        Reading(metrics.WEBHOOK_DELIVERED, lambda: counts.delivered),
        Reading(metrics.WEBHOOK_FAILURES, lambda: counts.failed),
        Reading(metrics.WEBHOOK_GIVEN_UP, lambda: counts.given_up),
        Reading(metrics.WEBHOOK_DISABLINGS, lambda: counts.disabled),
        Reading(metrics.WEBHOOK_ENDPOINTS, lambda: _status(dispatcher, "enabled")),
        Reading(metrics.WEBHOOK_DISABLED, lambda: _status(dispatcher, "disabled")),
        Reading(metrics.WEBHOOK_DOWN, lambda: _down(dispatcher)),
        Reading(metrics.WEBHOOK_BEHIND, lambda: _behind(dispatcher)),
        Reading(metrics.WEBHOOK_WAITING, lambda: sum(queue.waiting for queue in dispatcher.snapshot.queues.values())),
        Reading(metrics.WEBHOOK_OLDEST_SECONDS, lambda: _oldest_seconds(dispatcher, now())),
        Reading(metrics.WEBHOOK_HELD, lambda: len(dispatcher.held)),
    )


def _status(dispatcher: Dispatcher, status: str) -> int:
    return sum(one.status == status for one in dispatcher.snapshot.endpoints.values())


def _down(dispatcher: Dispatcher) -> int:
    snapshot = dispatcher.snapshot
    return sum(one.status == "enabled" and snapshot.health(one).is_down for one in snapshot.endpoints.values())


def _behind(dispatcher: Dispatcher) -> int:
    snapshot = dispatcher.snapshot
    return sum(
        max(0, snapshot.reached.get(source, 0) - cursor.position)
        for (endpoint_id, source), cursor in snapshot.cursors.items()
        if (one := snapshot.endpoints.get(endpoint_id)) and one.status == "enabled" and source in sources_of(one.events)
    )


def _oldest_seconds(dispatcher: Dispatcher, now: datetime) -> float:
    oldest = min((queue.first_at for queue in dispatcher.snapshot.queues.values() if queue.first_at), default=None)
    return seconds_since(oldest, now)
