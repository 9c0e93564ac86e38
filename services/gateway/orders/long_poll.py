"""Requests that wait for an order. Whenever the read models change, one query looks at the orders of all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.exc import DBAPIError

from services.gateway.deliveries.projection import deliveries
from services.gateway.orders.projection import orders
from shared.readside.backend import Backend
from shared.readside.batched_query import BatchedQuery, QueryRunner, Rows

STATUSES = BatchedQuery(
    orders.c.order_id,
    orders.c.status,
    deliveries.c.line,
    deliveries.c.status.label("line_status"),
    joined=orders.outerjoin(deliveries, deliveries.c.order_id == orders.c.order_id),
)
REFUNDS = frozenset({"refund-pending", "refund-failed", "partly-refunded", "refunded"})
OVER = REFUNDS | {"completed", "cancelled"}
ENDED = frozenset({"delivered", "failed"})
LONGEST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class State:
    """The status of an order, and of each line whose delivery was requested."""

    order: str
    lines: Mapping[int, str]

    @property
    def is_over(self) -> bool:
        """Whether the order is completed, cancelled or refunded."""
        return self.order in OVER

    def has_ended(self, lines: Iterable[int]) -> bool:
        """Whether each of these lines was delivered or has failed, or the order is over."""
        return self.is_over or all(self.lines.get(line) in ENDED for line in lines)


Condition = Callable[[State], bool]


@dataclass(eq=False, slots=True)
class _Waiter:
    order_id: str
    condition: Condition
    met: asyncio.Future[None]

    def meet(self, error: Exception | None = None) -> None:
        if self.met.done():
            return
        if error is None:
            self.met.set_result(None)
        else:
            self.met.set_exception(error)


class LongPoll:
    """Long-polls: holds requests until their condition holds. Spends at most half of its time querying."""

    def __init__(self, backend: Backend, reading: QueryRunner) -> None:
        self._backend, self._reading = backend, reading
        self._waiters: set[_Waiter] = set()
        self._polling: asyncio.Task[None] | None = None
        self._is_closed = False

    async def until(self, order_id: str, condition: Condition, seconds: float, request: Request) -> None:
        """Return when `condition` holds for an order's state, after `seconds`, when the client hangs up, or upon
        `close`.

        Raises DBAPIError.
        """
        revision = await self._revision_if_unmet(order_id, condition)
        if revision is None or self._is_closed:
            return
        waiter = _Waiter(order_id, condition, asyncio.get_running_loop().create_future())
        self._enter(waiter, revision)
        hung_up = asyncio.create_task(_hung_up(request))
        try:
            done, _ = await asyncio.wait({waiter.met, hung_up}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            hung_up.cancel()
            self._leave(waiter)

    def close(self) -> None:
        """Answer all waiting requests, and let no request wait any more."""
        self._is_closed = True
        for waiter in self._waiters:
            waiter.meet()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._waiters)

    def _enter(self, waiter: _Waiter, revision: int) -> None:
        self._waiters.add(waiter)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll(revision))

    def _leave(self, waiter: _Waiter) -> None:
        self._waiters.discard(waiter)
        if not self._waiters and self._polling is not None:
            self._polling.cancel()
            self._polling = None

    async def _revision_if_unmet(self, order_id: str, condition: Condition) -> int | None:
        """The present revision of the read models, if the condition does not hold by now; None if it holds."""
        while True:
            revision = self._backend.revision
            [state] = await self._states([order_id])
            if condition(state):
                return None
            if revision == self._backend.revision:
                return revision

    async def _poll(self, revision: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not await self._backend.wait_for_change(revision, LONGEST_SECONDS):
                continue
            revision, started, waiters = self._backend.revision, loop.time(), tuple(self._waiters)
            try:
                states = await self._states([waiter.order_id for waiter in waiters])
            except DBAPIError as error:
                for waiter in waiters:
                    waiter.meet(error)
            else:
                for waiter, state in zip(waiters, states, strict=True):
                    if waiter.condition(state):
                        waiter.meet()
            await asyncio.sleep(loop.time() - started)

    async def _states(self, order_ids: Iterable[str]) -> list[State]:
        queries = [self._reading.find(STATUSES, order_id) for order_id in order_ids]
        return [_state(await rows) for rows in queries]


def _state(rows: Rows) -> State:
    lines = {row["line"]: row["line_status"] for row in rows if row["line"] is not None}
    return State(rows[0]["status"] if rows else "", lines)


async def _hung_up(request: Request) -> None:
    """Returns once the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
