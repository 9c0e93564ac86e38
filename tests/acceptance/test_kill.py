"""The platform is killed in the middle of the load, again and again; no accepted order may notice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4

import httpx

from demo.shop import (
    TRUST,
    Answer,
    Buyer,
    answer_of,
    until,
)
from sandboxes.running import CHANNEL, SUPPLIERS
from shared.contracts.ledger import PaymentReceived, PaymentRequested, PaymentReturned
from shared.contracts.order import OrderCompleted, OrderPlaced
from shared.runtime.embedded import SEEN_SECONDS
from tests.platform.market import PRODUCT_COLUMNS, ServedMarket, open_market
from tests.waiting import PATIENCE

ORDERS, KILLS, AT_ONCE, CUSTOMERS, SEED = 180, 4, 24, 12, 1
CARDS = [f"CARD-{number}" for number in range(6)]
TOP_UP = "TOP-UP"
MANNERS = ("", "ok", "callback", "twice", "silent", "late")


@dataclass
class Outcomes:
    """What became of each request: answered well, answered otherwise, or nobody knows."""

    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unknown: int = 0


class Stubborn(httpx.AsyncBaseTransport):
    """Sends a request again, as it is, until it is answered; waits while the server is known to be down."""

    def __init__(self, inner: httpx.AsyncBaseTransport, up: asyncio.Event, outcomes: Outcomes) -> None:
        self._inner, self._up, self._outcomes = inner, up, outcomes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        while True:
            await self._up.wait()
            try:
                response = await self._inner.handle_async_request(request)
                content = await response.aread()
            except httpx.TransportError:
                self._outcomes.unknown += 1
                request.extensions["interrupted"] = True
                continue
            if response.status_code >= 500:
                self._outcomes.unknown += 1
                continue
            if response.status_code < 400:
                self._outcomes.ok += 1
            else:
                self._outcomes.failed[f"{request.method} {request.url.path}: {content.decode()}"] += 1
            return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Load:
    """The orders of one round, and those who place them while the server dies under them."""

    market: ServedMarket
    luck: random.Random
    up: asyncio.Event = field(default_factory=asyncio.Event)
    outcomes: Outcomes = field(default_factory=Outcomes)
    customers: Sequence[Buyer] = ()
    support: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)
    acknowledged: set[str] = field(default_factory=set)
    refunds: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    kills: int = 0

    def _client(self, known: httpx.AsyncClient) -> httpx.AsyncClient:
        """The same person with a stubborn way to the server."""
        number = self.luck.randrange(1, 250)
        source = f"127.7.{number}.{self.luck.randrange(1, 250)}"
        inner = httpx.AsyncHTTPTransport(verify=TRUST, local_address=source)
        transport = Stubborn(inner, self.up, self.outcomes)
        return httpx.AsyncClient(
            base_url=self.market.address, transport=transport, headers=known.headers, timeout=PATIENCE
        )

    async def run(self) -> None:
        await self._open_shop()
        moments = sorted(self.luck.sample(range(30, ORDERS - 30), KILLS - 1))
        moments.append(moments[-1] + 1)  # the last kill meets a server that has only just recovered
        turns = asyncio.Semaphore(AT_ONCE)
        plans = [self.luck.getrandbits(64) for _ in range(ORDERS)]

        async def one(seed: int) -> None:
            async with turns:
                await self._one(random.Random(seed))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._kill_at(moments))
            for seed in plans:
                tasks.create_task(one(seed))
        await self.market.settled()

    async def _open_shop(self) -> None:
        market = self.market
        top_up = (TOP_UP, "Top-up", "10.00", "top-up", "supplier", ",".join(SUPPLIERS), "CNY")
        await market.load("products", PRODUCT_COLUMNS, [top_up])
        await market.stock({sku: [f"{sku}-{number:04d}" for number in range(400)] for sku in CARDS})
        known = await market.customers(CUSTOMERS, 10_000_000)
        self.customers = [Buyer(self._client(one.http), one.customer) for one in known]
        self.support = self._client(market.staff["support"])
        self.up.set()

    async def _kill_at(self, moments: Sequence[int]) -> None:
        for moment in moments:

            async def far_enough(moment: int = moment) -> Answer | None:
                return {} if len(self.acknowledged) >= moment else None

            await until(f"{moment} orders", far_enough, PATIENCE)
            self.up.clear()
            await asyncio.to_thread(self.market.platform.kill)
            self.kills += 1
            await asyncio.to_thread(self.market.platform.start)
            self.up.set()

    async def _one(self, luck: random.Random) -> None:
        """Place an order, by wallet or as a guest at the channel, and give some of the money back."""
        at_channel = luck.random() < 0.35
        if at_channel:
            guest = await self.market.builder.guest(luck.randrange(1_000, 40_000))
            buyer = Buyer(self._client(guest.http))
        else:
            buyer = luck.choice(self.customers)
        order_id = await self._place(buyer, luck, CHANNEL if at_channel else "wallet")
        if at_channel:
            await buyer.pay_link(order_id)
            await self.market.builder.channel.pay_if_open(order_id, callbacks=luck.choice((1, 1, 3)))
        if luck.random() < 0.15:
            await buyer.ended(order_id, "completed")
            await self._refund(order_id, luck)

    async def _place(self, buyer: Buyer, luck: random.Random, payment: str) -> str:
        """Place an order; now and then once more, which must change nothing."""
        key = str(UUID(int=luck.getrandbits(128)))
        wishes: list[Answer] = [{"sku": luck.choice(CARDS), "quantity": luck.choice((1, 1, 2))}]
        if luck.random() < 0.3:
            manner = luck.choices(MANNERS, (4, 4, 2, 2, 1, 1))[0]
            phone = f"138{luck.randrange(10**8):08d}"
            wishes.append({"sku": TOP_UP, "quantity": 1, "target": f"{manner}:{phone}" if manner else phone})
        unknown = self.outcomes.unknown
        order = await buyer.place(wishes, key=key, expect=(200, 201), payment=payment)
        self.acknowledged.add(order["order_id"])
        if self.outcomes.unknown > unknown or luck.random() < 0.1:
            body = {"wishes": wishes, "payment": payment}
            again = await buyer.http.post("/v1/orders", json=body, headers={"Idempotency-Key": key})
            assert again.headers["Idempotency-Replayed"] == "true"
            assert answer_of(again, 200)["order_id"] == order["order_id"]
            self.repeated += 1
        return order["order_id"]

    async def _refund(self, order_id: str, luck: random.Random) -> None:
        amount = luck.choice((300, 700))
        body = {"amount": amount, "reason": "asked for"}
        headers = {"Idempotency-Key": f"refund-{order_id}"}
        answer_of(await self.support.post(f"/v1/orders/{order_id}/refunds", json=body, headers=headers), 202)
        self.refunds[order_id] = amount


def test_accepted_orders_survive_kills(tmp_path: Path) -> None:
    with open_market(tmp_path) as market:
        load = Load(market, random.Random(SEED))
        market.run(load.run())

        assert load.kills == KILLS
        assert not load.outcomes.failed
        assert load.outcomes.unknown, "no request was under way when the server died"
        assert load.repeated
        _check_orders(market, load)
        market.run(market.check_suppliers())
        market.run(_check_channel(market, load))
        market.platform.stop()
        assert not market.platform.parked()
        assert not market.platform.due()
        for proof in market.platform.proofs():
            assert proof.ok, proof


def test_a_request_sent_again_after_a_restart_is_answered_at_once(tmp_path: Path) -> None:
    with open_market(tmp_path) as market:
        market.run(market.stock({"CARD": ["C-1"]}))
        (buyer,) = market.run(market.customers(1, 1_000))
        key = str(uuid4())
        wishes: list[Answer] = [{"sku": "CARD", "quantity": 1}]
        order = market.run(buyer.place(wishes, key=key))
        market.run(market.settled())
        market.platform.kill()
        market.platform.start()

        took: list[float] = []
        for _ in range(3):  # each would wait; of three, one is not held up by a busy machine
            started = perf_counter()
            again = market.run(buyer.place(wishes, key=key, expect=(200,)))
            assert again["order_id"] == order["order_id"]
            took.append(perf_counter() - started)
        assert min(took) < SEEN_SECONDS, "it waited for a position that had been reached before"


def _check_orders(market: ServedMarket, load: Load) -> None:
    placed = [event.order_id for event in market.platform.events("order", OrderPlaced)]
    assert len(placed) == len(set(placed)) == ORDERS
    assert set(placed) == load.acknowledged
    ended = {event.order_id for event in market.platform.events("order", OrderCompleted)}
    assert ended == load.acknowledged


async def _check_channel(market: ServedMarket, load: Load) -> None:
    """What we believe was paid and paid back is what the channel collected and gave back."""
    asked = market.platform.events("ledger", PaymentRequested)
    received = Counter(event.payment_id for event in market.platform.events("ledger", PaymentReceived))
    returned: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for event in market.platform.events("ledger", PaymentReturned):
        assert event.return_id not in returned[event.payment_id]
        returned[event.payment_id][event.return_id] = event.amount.amount
    for event in asked:
        known = await market.asked_as_merchant(f"/payments/{event.payment_id}")
        refunds = (await market.asked_as_merchant(f"/payments/{event.payment_id}/refunds"))["refunds"]
        assert received[event.payment_id] == (known["status"] == "paid") == 1
        assert {one["return_id"]: one["amount"] for one in refunds} == returned[event.payment_id]
    given_back = {payment: sum(parts.values()) for payment, parts in returned.items() if parts}
    at_channel = {event.payment_id for event in asked}
    assert given_back == {order: amount for order, amount in load.refunds.items() if order in at_channel}
    assert given_back
