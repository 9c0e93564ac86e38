"""A database is restored from an older backup, and then all of them: everything says so, and a heal lets it go on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pika
import pytest
import sqlalchemy as sa

from demo.shop import Answer, Buyer, until
from sandboxes.running import CHANNEL
from shared.contracts import PositionLost
from shared.contracts.order import OrderPlaced
from shared.eventstore.databases import name_of
from shared.messages.topology import EVENTS
from shared.runtime.cluster.health import HEALTH_FILE
from tests.acceptance.cluster_load import CARDS
from tests.acceptance.cluster_market import NAMES, ClusterMarket, cluster_or_skip
from tests.waiting import PATIENCE

WISHES: list[Answer] = [{"sku": CARDS[0], "quantity": 1}]
ROLES = ("writer", "log-server", "publisher")
HTTP = "gateway-http"


@dataclass
class Outsider:
    """A subscriber of everything that happens after `since`, by service: what it was told at each sequence."""

    amqp_url: str
    since: dict[str, int]
    queue: str = "outsider"
    told: dict[tuple[str, int], str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def subscribe(self) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.amqp_url)) as connection:
            channel = connection.channel()
            channel.exchange_declare(EVENTS, "topic", durable=True)
            channel.queue_declare(self.queue, durable=True)
            channel.queue_bind(self.queue, EVENTS, "#")

    def listen(self) -> None:
        """Take in what has come. No sequence may tell of another event than before."""
        with pika.BlockingConnection(pika.URLParameters(self.amqp_url)) as connection:
            channel = connection.channel()
            while True:
                method, properties, _ = channel.basic_get(self.queue, auto_ack=True)
                if method is None or properties is None:
                    return
                headers: Any = properties.headers
                place = (headers["ce-source"], int(headers["ce-sequence"]))
                assert self.told.setdefault(place, headers["ce-id"]) == headers["ce-id"], place
                self.names.append(headers["ce-type"])

    def without_gaps(self, heads: dict[str, int]) -> bool:
        self.listen()
        expected = ((name, at) for name, head in heads.items() for at in range(self.since[name] + 1, head + 1))
        return all((f"/kameng/{name}", at) in self.told for name, at in expected)


class Platform:
    """The cluster, as somebody who operates it sees it."""

    def __init__(self, market: ClusterMarket) -> None:
        self.market = market
        self.outsider = Outsider(market.servers.amqp_url, {})
        self._admin = sa.create_engine(market.servers.postgres_url, isolation_level="AUTOCOMMIT")

    def kameng(self, *arguments: str, code: int = 0) -> str:
        """Run a command on the cluster; what it prints. It must end with this code."""
        line = [sys.executable, "-m", "cli", *arguments, "--cluster", "--var", str(self.market.var)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def stop(self, names: Sequence[str]) -> None:
        self.market.terminate(*names)

    def start(self, names: Sequence[str]) -> None:
        for name in names:
            self.market.cluster.start(name)

    @staticmethod
    def of(*services: str) -> list[str]:
        """The processes of services, without the gateway's HTTP."""
        return [f"{service}-{role}" for service in services for role in ROLES]

    def _sql(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def back_up(self, tag: str, *services: str) -> None:
        """Copy the databases of services that are stopped."""
        for service in services:
            self.market.logs[service].dispose()
            self._sql(f"CREATE DATABASE {tag}_{service} TEMPLATE {name_of(service)}")

    def restore(self, tag: str, *services: str) -> None:
        for service in services:
            self.market.logs[service].dispose()
            name = name_of(service)
            self._sql(
                f"DROP DATABASE {name} WITH (FORCE)",
                f"CREATE DATABASE {name} TEMPLATE {tag}_{service} OWNER {name}",
            )

    async def readiness(self, name: str = "") -> Answer | None:
        """What a process, or the gateway, says at /readyz; None while it says nothing."""
        try:
            described = self.market.cluster.described[name] if name else None
            file = Path(described.environment[HEALTH_FILE]) if described else None
            address = file.read_text() if file else self.market.address
            async with httpx.AsyncClient(timeout=10) as client:
                return (await client.get(f"{address}/readyz")).json()
        except (FileNotFoundError, httpx.TransportError, json.JSONDecodeError):
            return None

    async def says(self, name: str, key: str, *texts: str) -> None:
        """Wait until /readyz has all of these in what it says under `key`."""

        async def look() -> Answer | None:
            seen = await self.readiness(name) or {}
            return seen if all(text in json.dumps(seen.get(key)) for text in texts) else None

        await until(f"{name or 'the gateway'} to say {texts}", look)

    async def is_ready(self) -> None:
        """Wait until nothing is wrong any more, anywhere."""

        async def look() -> Answer | None:
            seen = [await self.readiness(name) for name in ("", *self.of(*NAMES))]
            right = all(one and not any(one.get(key) for key in ("diverged", "halted", "held")) for one in seen)
            return {} if right and seen[0] and seen[0]["status"] == "ok" else None

        await until("everything to be ready", look)

    async def sell(self, buyers: Sequence[Buyer]) -> list[str]:
        """Each buys a key, and gets it."""
        ids = [(await buyer.place(WISHES, payment="wallet"))["order_id"] for buyer in buyers]
        for buyer, order_id in zip(buyers, ids, strict=True):
            await buyer.ended(order_id, "completed")
        return ids

    async def refuses(self, buyer: Buyer) -> None:
        """Nothing is decided, and the buyer is told so."""
        body = {"wishes": WISHES, "payment": "wallet"}
        answer = await buyer.http.post("/v1/orders", json=body, headers={"Idempotency-Key": f"refused-{id(buyer)}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "not-deciding"), answer.text

    async def has_told(self) -> None:
        """Wait until the outsider was told of all there is."""

        async def look() -> Answer | None:
            return {} if self.outsider.without_gaps(self.market.heads()) else None

        await until("the outside to be told", look)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with cluster_or_skip(publish=True) as market:
        made = Platform(market)
        made.outsider.subscribe()
        made.outsider.since |= market.heads()
        yield made


@pytest.mark.timeout(600)
def test_one_database_is_restored_from_an_older_backup(platform: Platform) -> None:
    market = platform.market
    order, fulfillment = platform.of("order"), platform.of("fulfillment")

    async def story() -> None:
        await platform.sell(market.buyers[:4])
        early = Buyer((await market.builder.guest(40)).http)
        taken_up = (await early.place(WISHES, payment=CHANNEL))["order_id"]
        await early.pay_link(taken_up)
        platform.stop(order)
        platform.back_up("before", "order")
        platform.start(order)
        await market.builder.channel.pay(taken_up)
        await early.ended(taken_up, "completed")
        lost = await platform.sell(market.buyers[:3])
        unpaid = Buyer((await market.builder.guest(41)).http)
        waits = (await unpaid.place(WISHES, payment=CHANNEL))["order_id"]
        await unpaid.pay_link(waits)
        platform.stop(fulfillment)
        stuck = (await market.buyers[5].place(WISHES, payment="wallet"))["order_id"]
        await market.buyers[5].ended(stuck, "delivering")
        known = market.heads()["order"]
        platform.stop(order)
        platform.restore("before", "order")
        kept = market.heads()["order"]
        platform.start([*order, *fulfillment])

        gone = f"that log ends at {kept}: its last {known - kept} events are lost"
        await platform.says("", "diverged", gone)
        await platform.says("order-writer", "halted", "ledger has applied the log of order up to")
        await platform.says("order-publisher", "diverged", "the publisher has handed on the log of order up to")
        await platform.refuses(market.buyers[0])
        assert gone in platform.kameng("status")
        assert f"positions, {kept + 1} to {known}, are lost" in platform.kameng("heal", code=1)
        assert market.heads()["order"] == kept

        platform.kameng("heal", "order", "--accept-loss")
        assert "nothing is to be healed" in platform.kameng("heal")
        assert market.heads()["order"] >= known
        named = platform.kameng("lost", "--json", code=1)
        assert waits in named
        assert stuck in named
        platform.kameng("lost", "--release")
        await platform.is_ready()
        platform.kameng("rebuild", "all")
        await platform.is_ready()
        await platform.sell(market.buyers[:4])
        await early.ended(taken_up, "completed")
        await market.settled()
        assert (await market.wallet(market.buyers[5].customer))["held"] == 0
        platform.kameng("verify")
        await platform.has_told()
        assert not {*lost, stuck, waits} & {event.order_id for event in market.events("order", OrderPlaced)}

    market.run(story())
    assert not market.parked()


@pytest.mark.timeout(600)
def test_all_databases_are_restored_to_an_earlier_moment(platform: Platform) -> None:
    market, everything = platform.market, [*platform.of(*NAMES), HTTP]

    async def story() -> None:
        await market.settled()
        platform.stop(everything)
        platform.back_up("all", *NAMES)
        platform.start(everything)
        await platform.is_ready()
        await platform.sell(market.buyers[:4])
        await platform.has_told()
        known = market.heads()
        platform.stop(everything)
        platform.restore("all", *NAMES)
        kept = market.heads()
        platform.start(everything)

        for service in ("order", "ledger", "inventory"):
            await platform.says(f"{service}-publisher", "diverged", f"ends at {kept[service]}")
            await platform.says(f"{service}-writer", "halted", "the publisher has handed on the log")
        await platform.says("", "status", '"')
        await platform.refuses(market.buyers[0])
        assert "the publisher has handed on the log of order" in platform.kameng("status")
        platform.kameng("heal", code=1)

        platform.kameng("heal", "--accept-loss")
        assert market.heads() == known
        await platform.is_ready()
        await platform.sell(market.buyers[:4])
        await market.settled()
        await platform.has_told()
        assert not any(PositionLost.__name__ in name for name in platform.outsider.names)
        platform.kameng("verify")

    market.run(story())
    assert not market.parked()
