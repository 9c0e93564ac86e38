"""The whole platform as a cluster on this machine, whose parts are killed while people buy."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import httpx
import sqlalchemy as sa

from deploy.local import infrastructure
from deploy.local.infrastructure import Infrastructure
from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from services.__main__ import SERVICES
from services.cli import clustering
from services.cli.clustering import Cluster
from services.demo.running import PASSWORD, free_port
from services.demo.shop import TRUST, Answer, Buyer, Channel, Unexpected, answer_of, client_at, until
from services.demo.town import Builder
from shared.contracts.fulfillment import SupplierDelivered
from shared.contracts.order import OrderCompleted, OrderPlaced
from shared.hosting.cluster.health import HEALTH_FILE
from shared.security.secrets import Secrets
from tests.acceptance.market import LIMITS, PRODUCT_COLUMNS, Market, Server

NAMES = tuple(service.name for service in SERVICES)
CARDS = tuple(f"CARD-{number}" for number in range(6))
TOP_UP = "TOP-UP"
MANNERS = ("", "ok", "callback", "twice", "silent")
KEYS, CUSTOMERS, AT_ONCE = 1_500, 24, 6
PATIENCE_SECONDS, AGAIN_SECONDS = 60.0, 0.1


@dataclass
class Outcomes:
    """What became of each request: answered well, answered otherwise, or nobody knows.

    `early` counts questions for an order that the read side, which was down, did not know yet.
    """

    ok: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    early: int = 0


class Stubborn(httpx.AsyncBaseTransport):
    """Sends a request again, as it is and soon, until it is answered; gives up after a minute."""

    def __init__(self, inner: httpx.AsyncBaseTransport, outcomes: Outcomes) -> None:
        self._inner, self._outcomes = inner, outcomes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                response = await self._inner.handle_async_request(request)
                content = await response.aread()
                said = f"{response.status_code} {content.decode()}"
                if response.status_code == 404:
                    self._outcomes.early += 1
                elif response.status_code >= 500:
                    self._outcomes.unknown += 1
                else:
                    break
            except httpx.TransportError as error:
                said = repr(error)
                self._outcomes.unknown += 1
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


@dataclass
class ClusterMarket(Market):
    """A market whose platform is many processes. Its `server` only names folder, port and environment."""

    cluster: Cluster = field(kw_only=True)
    logs: dict[str, sa.Engine] = field(kw_only=True)
    servers: Infrastructure = field(kw_only=True)
    outcomes: Outcomes = field(default_factory=Outcomes, kw_only=True)
    buyers: list[Buyer] = field(default_factory=list, kw_only=True)

    def engine(self, service: str) -> sa.Engine:
        return self.logs[service]

    def kill(self, name: str) -> None:
        """End a process as a power cut does."""
        self.cluster.running[name].kill()
        self.cluster.running[name].wait()

    def restart(self, name: str) -> None:
        self.kill(name)
        self.cluster.start(name)

    def terminate(self, name: str) -> int:
        """Ask a process to end, and wait. Its exit code."""
        self.cluster.running[name].send_signal(signal.SIGTERM)
        return self.cluster.running[name].wait(PATIENCE_SECONDS)

    def signal(self, name: str, number: signal.Signals) -> None:
        self.cluster.running[name].send_signal(number)

    @contextmanager
    def second_writer(self, service: str) -> Iterator[str]:
        """One more writer of a service, asked to end at the end. Gives its process's name."""
        name, first = f"{service}-writer-2", self.cluster.described[f"{service}-writer"]
        health = {HEALTH_FILE: str(self.var / f"{name}.health")}
        self.cluster.described[name] = replace(first, name=name, environment={**first.environment, **health})
        self.cluster.start(name)
        yield name
        assert self.terminate(name) == 0, self.cluster.printed(name)[-2000:]
        del self.cluster.running[name], self.cluster.described[name]

    async def becomes(self, name: str, role: str) -> None:
        """Wait until a writer's process says that this is its role."""
        file = Path(self.cluster.described[name].environment[HEALTH_FILE])

        def address() -> str:
            return file.read_text()

        async def look() -> Answer | None:
            assert self.cluster.running[name].poll() is None, self.cluster.printed(name)[-2000:]
            try:
                async with httpx.AsyncClient(timeout=2) as client:
                    seen = (await client.get(f"{address()}/readyz")).json()
            except (FileNotFoundError, httpx.TransportError):
                return None
            return seen if seen["role"] == role else None

        await until(f"{name} to be {role}", look)

    async def settled(self, *waiting: str) -> None:
        """Wait until every order but those `waiting` has ended, no reader is behind and no agenda holds what is due."""

        left: list[str] = []

        async def look() -> Answer | None:
            left[:] = await asyncio.to_thread(self.unfinished, *waiting)
            return None if left else {}

        try:
            await until("everything to settle", look, 2 * PATIENCE_SECONDS)
        except Unexpected as error:
            raise Unexpected(f"{error}: {left}") from None

    def unfinished(self, *waiting: str) -> list[str]:
        """What still has to be done, in words."""
        placed = {event.order_id for event in self.events("order", OrderPlaced)}
        ended = {event.order_id for event in self.events("order", OrderCompleted)}
        lags = clustering.lags(self.logs)
        found = [f"{reader} is behind {source}" for reader, by in lags.items() for source, lag in by.items() if lag]
        return [*found, *self.due(), *(f"order {order_id}" for order_id in placed - ended - {*waiting})]

    async def check_suppliers(self) -> None:
        """Each line was bought once at most, and every line that says so was."""
        lines: Counter[str] = Counter()
        for name in SUPPLIERS:
            async with httpx.AsyncClient(base_url=self.sandboxes[name]) as supplier:
                for request_id, account in answer_of(await supplier.get("/purchases")).items():
                    lines[request_id.rpartition("#")[0]] += account["bought"]
        delivered = Counter(event.delivery_id for event in self.events("fulfillment", SupplierDelivered))
        assert set(delivered.values()) == {1}
        assert +lines == delivered


class Load:
    """People who buy, one order after another, until they are told that it is enough."""

    def __init__(self, market: ClusterMarket, luck: random.Random) -> None:
        self.placed: list[str] = []
        self._market, self._luck, self._is_over = market, luck, False
        self._more = asyncio.Condition()

    async def run(self, fault: Callable[[Load], Awaitable[None]]) -> None:
        """Buy before, during and after a fault; returns when every order has ended."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._buy(random.Random(self._luck.getrandbits(64))))
            await self.further(2 * AT_ONCE)
            await fault(self)
            await self.further(2 * AT_ONCE)
            self._is_over = True
        await self._market.settled()

    async def further(self, count: int) -> None:
        """Return when so many orders more were acknowledged."""
        goal = len(self.placed) + count
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            await self._more.wait_for(lambda: len(self.placed) >= goal)

    async def _buy(self, luck: random.Random) -> None:
        while not self._is_over:
            await self._one(luck)

    async def _one(self, luck: random.Random) -> None:
        """Place an order, by wallet or as a guest at the channel, and see it delivered."""
        at_channel = luck.random() < 0.3
        known = await self._market.builder.guest(luck.randrange(1_000, 40_000)) if at_channel else self._customer(luck)
        async with self._client(known, luck) as http:
            buyer = Buyer(http)
            order_id = await self._place(buyer, luck, CHANNEL if at_channel else "wallet")
            if at_channel:
                await buyer.pay_link(order_id)
                await self._market.builder.channel.pay(order_id, callbacks=luck.choice((1, 1, 3)))
            await buyer.ended(order_id, "completed")

    def _customer(self, luck: random.Random) -> Buyer:
        return luck.choice(self._market.buyers)

    def _client(self, known: Buyer, luck: random.Random) -> httpx.AsyncClient:
        """The same person with a stubborn way to the gateway."""
        source = f"127.7.{luck.randrange(1, 250)}.{luck.randrange(1, 250)}"
        transport = Stubborn(httpx.AsyncHTTPTransport(verify=TRUST, local_address=source), self._market.outcomes)
        headers = known.http.headers
        return httpx.AsyncClient(base_url=self._market.address, transport=transport, headers=headers, timeout=60)

    async def _place(self, buyer: Buyer, luck: random.Random, payment: str) -> str:
        """Place an order; when its answer was lost, and now and then, once more, which must change nothing."""
        key = str(UUID(int=luck.getrandbits(128)))
        wishes: list[Answer] = [{"sku": luck.choice(CARDS), "quantity": luck.choice((1, 1, 2))}]
        if luck.random() < 0.3:
            phone = f"138{luck.randrange(10**8):08d}"
            wishes.append({"sku": TOP_UP, "quantity": 1, "target": f"{luck.choice(MANNERS)}:{phone}"})
        unknown = self._market.outcomes.unknown
        order = await buyer.place(wishes, key=key, expect=(200, 201), payment=payment)
        if self._market.outcomes.unknown > unknown or luck.random() < 0.1:
            again = await buyer.place(wishes, key=key, expect=(200,), payment=payment)
            assert again["order_id"] == order["order_id"]
        async with self._more:
            self.placed.append(order["order_id"])
            self._more.notify_all()
        return order["order_id"]


@contextmanager
def open_cluster(var: Path) -> Iterator[ClusterMarket]:
    """A new platform of many processes on a folder, with staff, customers and stock; the first supplier fails.

    Raises InfrastructureError when the servers can't be had.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        sandboxes = stack.enter_context(run_sandboxes(Secrets(var / "secrets"), address))
        suppliers = {name: {"url": sandboxes[name], "timeout_seconds": 1} for name in SUPPLIERS}
        environment = {
            **LIMITS,
            "KAMENG_SUPPLIERS": json.dumps(suppliers),
            "KAMENG_CHANNELS": json.dumps({CHANNEL: {"url": sandboxes[CHANNEL]}}),
        }
        answer_of(httpx.put(f"{sandboxes[SUPPLIERS[0]]}/behaviour", json={"behaviour": "failing"}))
        stack.callback(infrastructure.down, var)
        cluster, logs = stack.enter_context(clustering.running(NAMES, var, port, print, environment))
        loop = stack.enter_context(asyncio.Runner())
        clients = AsyncExitStack()
        stack.callback(lambda: loop.run(clients.aclose()))
        channel = Channel(loop.run(clients.enter_async_context(client_at(sandboxes[CHANNEL], "127.0.0.1"))))
        builder = Builder(address, channel, clients, lambda what, done, total: None)
        market = ClusterMarket(
            Server(var, port, environment),
            address,
            sandboxes,
            loop,
            builder,
            cluster=cluster,
            logs=logs,
            servers=infrastructure.up(var, print),
        )
        password = PASSWORD.search(cluster.printed("gateway-http"))
        assert password, "the gateway showed no administrator's password"
        market.staff = market.run(builder.staff(password.group(1)))
        market.run(_open_shop(market))
        yield market


async def _open_shop(market: ClusterMarket) -> None:
    top_up = (TOP_UP, "Top-up", "10.00", "top-up", "supplier", ",".join(SUPPLIERS), "CNY")
    await market.load("products", PRODUCT_COLUMNS, [top_up])
    await market.stock({sku: [f"{sku}-{number:04d}" for number in range(KEYS)] for sku in CARDS})
    market.buyers = await market.customers(CUSTOMERS, 10_000_000)
