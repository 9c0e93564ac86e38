"""People who buy from a cluster whose parts fail, and who ask again until they are answered."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from demo.shop import (
    TRUST,
    Answer,
    Buyer,
    until,
)
from sandboxes.running import CHANNEL
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.platform.market import ClusterMarket

CARDS = tuple(f"CARD-{number}" for number in range(6))
TOP_UP = "TOP-UP"
MANNERS = ("", "ok", "callback", "twice", "silent")
AT_ONCE = 6
AGAIN_SECONDS = 0.1
PACE_SECONDS = 0.2
"""How long a buyer looks around between two orders: more orders would show nothing more, and take the processor."""


@dataclass
class Outcomes:
    """What became of each request: answered well, answered otherwise, or asked again, for nobody knew."""

    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)


class Stubborn(httpx.AsyncBaseTransport):
    """Sends a request again, as it is and soon, until it is answered; gives up when patience ends."""

    def __init__(self, inner: httpx.AsyncBaseTransport, outcomes: Outcomes) -> None:
        self._inner, self._outcomes = inner, outcomes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                response = await self._inner.handle_async_request(request)
                content = await response.aread()
                if response.status_code < 500:
                    break
                self._outcomes.again[_code(content)] += 1
                said = f"{response.status_code} {content.decode()}"
            except httpx.TransportError as error:
                self._outcomes.again[type(error).__name__] += 1
                said = repr(error)
            if time.monotonic() > deadline:
                raise httpx.ConnectError(f"{request.method} {request.url.path} has no answer: {said}")
            await asyncio.sleep(AGAIN_SECONDS)
        if response.status_code < 400:
            self._outcomes.ok += 1
        else:
            self._outcomes.failed[f"{request.method} {request.url.path}: {content.decode()}"] += 1
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _code(content: bytes) -> str:
    return httpx.Response(500, content=content).json()["code"]


class Load:
    """People who buy, one order after another, until they are told that it is enough.

    `placed` are the orders that were acknowledged, `outcomes` tells of the requests that this took.
    """

    def __init__(self, market: ClusterMarket, luck: random.Random) -> None:
        self.placed: list[str] = []
        self.outcomes = Outcomes()
        self._market, self._luck, self._is_over = market, luck, False
        self._more = asyncio.Condition()

    async def run(self, fault: Callable[[Load], Awaitable[None]]) -> None:
        """Buy before, during and after a fault; returns when every order has ended."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._buy(random.Random(self._luck.getrandbits(64))))
            await self.further(AT_ONCE)
            await fault(self)
            await self.further(2 * AT_ONCE)
            self._is_over = True

    async def further(self, count: int) -> None:
        """Return when so many orders more were acknowledged."""
        goal = len(self.placed) + count
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: len(self.placed) >= goal)

    async def _buy(self, luck: random.Random) -> None:
        while not self._is_over:
            await self._one(luck)
            await asyncio.sleep(PACE_SECONDS)

    async def _one(self, luck: random.Random) -> None:
        """Place an order, by wallet or as a guest at the channel, and see it delivered."""
        at_channel = luck.random() < 0.3
        known = await self._market.builder.guest(luck.randrange(1_000, 40_000)) if at_channel else self._customer(luck)
        async with self.client(known) as http:
            buyer = Buyer(http)
            order_id = await self._place(buyer, luck, CHANNEL if at_channel else "wallet")
            if at_channel:
                await buyer.pay_link(order_id)
                await self._market.builder.channel.pay(order_id, callbacks=luck.choice((1, 1, 3)))
            await self._delivered(buyer, order_id)

    def _customer(self, luck: random.Random) -> Buyer:
        return luck.choice(self._market.buyers)

    def client(self, known: Buyer) -> httpx.AsyncClient:
        """The same person with a stubborn way to the gateway."""
        source = f"127.7.{self._luck.randrange(1, 250)}.{self._luck.randrange(1, 250)}"
        transport = Stubborn(httpx.AsyncHTTPTransport(verify=TRUST, local_address=source), self.outcomes)
        headers = known.http.headers
        return httpx.AsyncClient(base_url=self._market.address, transport=transport, headers=headers, timeout=PATIENCE)

    async def _place(self, buyer: Buyer, luck: random.Random, payment: str) -> str:
        """Place an order; when its answer was lost, and now and then, once more, which must change nothing."""
        key = str(UUID(int=luck.getrandbits(128)))
        wishes: list[Answer] = [{"sku": luck.choice(CARDS), "quantity": luck.choice((1, 1, 2))}]
        if luck.random() < 0.3:
            phone = f"138{luck.randrange(10**8):08d}"
            wishes.append({"sku": TOP_UP, "quantity": 1, "target": f"{luck.choice(MANNERS)}:{phone}"})
        again = self.outcomes.again.total()
        order_id = await self.place(buyer, wishes, key, payment)
        if self.outcomes.again.total() > again or luck.random() < 0.1:
            replayed = await buyer.place(wishes, key=key, expect=(200,), payment=payment)
            assert replayed["order_id"] == order_id
        return order_id

    async def place(self, buyer: Buyer, wishes: list[Answer], key: str, payment: str) -> str:
        """Place an order until it is acknowledged. Its id."""
        order = await buyer.place(wishes, key=key, expect=(200, 201), payment=payment)
        async with self._more:
            self.placed.append(order["order_id"])
            self._more.notify_all()
        return order["order_id"]

    async def _delivered(self, buyer: Buyer, order_id: str) -> None:
        """More patience than a buyer has: the longest of the faults may come in between."""

        async def look() -> Answer | None:
            order = await buyer.get(order_id)
            return order if order["status"] == "completed" else None

        await until(f"order {order_id} to be completed", look, 2 * PATIENCE)
