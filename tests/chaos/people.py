"""Buyers and staff who do not know that anything fails: they order, send again, change their mind, pay and complain."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from demo.shop import Answer, Buyer
from sandboxes.running import CHANNEL
from shared.contracts.order import WALLET
from tests.chaos.history import History, Request
from tests.chaos.shop import CARDS, SCARCE, TOP_UP, Shop

AT_ONCE = 8
WATCH_SECONDS, LINK_SECONDS, LOOK_SECONDS = 12.0, 8.0, 0.4
ENDED = ("completed", "cancelled", "refund-pending", "refund-failed", "partly-refunded", "refunded")
MANNERS = ("", "ok", "callback", "twice", "silent", "late", "slow")
CALLBACKS: tuple[Mapping[str, Any], ...] = (
    {},
    {},
    {"callbacks": 3},
    {"lose_callback": True},
    {"bad_signature": True},
    {"delay_seconds": 2.0},
)


@dataclass
class Crowd:
    """A few people at once, each with one order after the other until told that it is `over`. `paid` are the payments
    that they made at the channel."""

    shop: Shop
    history: History
    luck: random.Random
    paid: list[str] = field(default_factory=list)
    over: bool = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._shop(random.Random(self.luck.getrandbits(64))))

    async def _shop(self, luck: random.Random) -> None:
        while not self.over:
            await self._order(luck)

    async def _order(self, luck: random.Random) -> None:
        is_guest = luck.random() < 0.35
        buyer = luck.choice(self.shop.guests if is_guest else self.shop.market.buyers)
        request = self._wish(luck, buyer, CHANNEL if is_guest else WALLET)
        answer = await self._place(luck, request)
        if answer is None:
            return
        order_id = answer["order_id"]
        if luck.random() < 0.08:
            await self._cancel(luck, request, order_id)
        if is_guest and luck.random() < 0.93:
            await self._pay(luck, request, order_id)
        ended = await self._ended(request, order_id)
        if ended and ended["status"] == "completed" and luck.random() < 0.08:
            await self._refund(luck, order_id)

    def _wish(self, luck: random.Random, buyer: Buyer, payment: str) -> Request:
        sku = SCARCE if luck.random() < 0.08 else luck.choice(CARDS)
        wishes: list[Answer] = [{"sku": sku, "quantity": luck.choice((1, 1, 2))}]
        if luck.random() < 0.25:
            phone = f"138{luck.randrange(10**8):08d}"
            wishes.append({"sku": TOP_UP, "quantity": 1, "target": f"{luck.choice(MANNERS)}:{phone}"})
        body = {"wishes": wishes, "payment": payment}
        who = buyer.customer or "guest"
        return Request("place", who, buyer.http, "/v1/orders", body, _key(luck))

    async def _place(self, luck: random.Random, request: Request) -> Answer | None:
        """Now and then twice at the same time; and once it is answered, the key may be tried for something else."""
        if luck.random() < 0.1:
            answers = await asyncio.gather(self.history.ask(request), self.history.ask(request))
            answer = answers[0] or answers[1]
        else:
            answer = await self.history.ask(request)
        if answer is not None and luck.random() < 0.06:
            other = {**request.body, "wishes": [*request.body["wishes"], request.body["wishes"][0]]}
            taken = ("idempotency-conflict",)
            conflict = Request("conflict", request.who, request.http, request.path, other, request.key, expected=taken)
            await self.history.ask(conflict)
        return answer

    async def _cancel(self, luck: random.Random, placed: Request, order_id: str) -> None:
        secret = {"Order-Secret": placed.secret}
        path = f"/v1/orders/{order_id}/cancel"
        late = ("too-late",)
        await self.history.ask(
            Request("cancel", placed.who, placed.http, path, {}, _key(luck), headers=secret, expected=late)
        )

    async def _pay(self, luck: random.Random, placed: Request, order_id: str) -> None:
        """Pay at the channel as soon as there is a link; who waits too long for it goes away, and so does who finds
        it closed."""

        def is_open(order: Answer) -> bool:
            return bool((order.get("channel_payment") or {}).get("pay_url"))

        if not await self._seen(placed, order_id, LINK_SECONDS, is_open):
            return
        if await self.shop.market.builder.channel.pay_if_open(order_id, **luck.choice(CALLBACKS)):
            self.paid.append(order_id)

    async def _ended(self, placed: Request, order_id: str) -> Answer | None:
        return await self._seen(placed, order_id, WATCH_SECONDS, lambda order: order["status"] in ENDED)

    async def _seen(self, placed: Request, order_id: str, seconds: float, wanted: Any) -> Answer | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            order = await self.history.read(placed.http, f"/v1/orders/{order_id}", placed.secret)
            if order is not None and wanted(order):
                return order
            await asyncio.sleep(LOOK_SECONDS)
        return None

    async def _refund(self, luck: random.Random, order_id: str) -> None:
        body: dict[str, Any] = {"reason": "the buyer asked"} | ({"amount": 100} if luck.random() < 0.5 else {})
        spent = ("nothing-left", "more-than-left")
        await self.history.ask(
            Request(
                "refund",
                "support",
                self._support,
                f"/v1/orders/{order_id}/refunds",
                body,
                _key(luck),
                named="refund_id",
                expected=spent,
            )
        )

    @property
    def _support(self) -> httpx.AsyncClient:
        return self.shop.market.staff["support"]


def _key(luck: random.Random) -> str:
    return str(UUID(int=luck.getrandbits(128)))
