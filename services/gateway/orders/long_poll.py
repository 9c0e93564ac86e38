"""Requests that wait for an order: one look at all of their orders whenever the read models have moved."""

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
    """How far an order is: its own status, and that of each line whose delivery has been requested."""

    order: str
    lines: Mapping[int, str]

    @property
    def is_over(self) -> bool:
        """Whether the order is completed, cancelled or refunded."""
        return self.order in OVER

    def has_ended(self, lines: Iterable[int]) -> bool:
        """Whether each of these lines was delivered or has failed, or the order is over."""
        return self.is_over or all(self.lines.get(line) in ENDED for line in lines)


Wish = Callable[[State], bool]


@dataclass(eq=False, slots=True)
class _Waiter:
    order_id: str
    wish: Wish
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
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    async def until(self, order_id: str, wish: Wish, seconds: float, request: Request) -> None:
        """Return when an order's state is as wished, `seconds` have passed, the client has gone, or upon `close`.

        Raises DBAPIError.
        """
        seen = await self._unmet(order_id, wish)
        if seen is None or self._is_closed:
            return
        waiter = _Waiter(order_id, wish, asyncio.get_running_loop().create_future())
        self._enter(waiter, seen)
        gone = asyncio.create_task(_gone(request))
        try:
            done, _ = await asyncio.wait({waiter.met, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            gone.cancel()
            self._leave(waiter)

    def close(self) -> None:
        """Let everybody go, and hold nobody back any more."""
        self._is_closed = True
        for waiter in self._waiters:
            waiter.meet()

    @property
    def waiting(self) -> int:
        """How many requests are held back."""
        return len(self._waiters)

    def _enter(self, waiter: _Waiter, seen: int) -> None:
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again(seen))

    def _leave(self, waiter: _Waiter) -> None:
        self._waiters.discard(waiter)
        if not self._waiters and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _unmet(self, order_id: str, wish: Wish) -> int | None:
        """The present count of moves, if by now the order is not as wished; None if it is."""
        while True:
            seen = self._backend.revision
            [state] = await self._states([order_id])
            if wish(state):
                return None
            if seen == self._backend.revision:
                return seen

    async def _look_again(self, seen: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not await self._backend.wait_for_change(seen, LONGEST_SECONDS):
                continue
            seen, started, waiters = self._backend.revision, loop.time(), tuple(self._waiters)
            try:
                states = await self._states([waiter.order_id for waiter in waiters])
            except DBAPIError as error:
                for waiter in waiters:
                    waiter.meet(error)
            else:
                for waiter, state in zip(waiters, states, strict=True):
                    if waiter.wish(state):
                        waiter.meet()
            await asyncio.sleep(loop.time() - started)

    async def _states(self, order_ids: Iterable[str]) -> list[State]:
        asked = [self._reading.find(STATUSES, order_id) for order_id in order_ids]
        return [_state(await rows) for rows in asked]


def _state(rows: Rows) -> State:
    lines = {row["line"]: row["line_status"] for row in rows if row["line"] is not None}
    return State(rows[0]["status"] if rows else "", lines)


async def _gone(request: Request) -> None:
    """Returns once the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
