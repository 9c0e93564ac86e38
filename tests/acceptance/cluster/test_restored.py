"""A database is restored from an older backup, and then all of them: everything says so, and a heal lets it go on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pika
import pytest
import sqlalchemy as sa

from demo.shop import Answer, Buyer, until
from sandboxes.running import CHANNEL
from services import NAMES
from shared.contracts import PositionLost
from shared.contracts.order import OrderPlaced
from shared.eventstore.databases import name_of
from shared.messages.topology import EVENTS
from tests.acceptance.cluster.load import CARDS
from tests.platform.cluster import HTTP
from tests.platform.market import ClusterMarket
from tests.waiting import wait_for

WISHES: list[Answer] = [{"sku": CARDS[0], "quantity": 1}]
ROLES = ("writer", "log-server", "publisher")


@dataclass
class Outsider:
    """A subscriber of everything that happens after `since`, by service. `received` holds event ids by place."""

    amqp_url: str
    since: dict[str, int]
    queue: str = "outsider"
    received: dict[tuple[str, int], str] = field(default_factory=dict)
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
                assert self.received.setdefault(place, headers["ce-id"]) == headers["ce-id"], place
                self.names.append(headers["ce-type"])

    def without_gaps(self, heads: dict[str, int]) -> bool:
        self.listen()
        expected = ((name, at) for name, head in heads.items() for at in range(self.since[name] + 1, head + 1))
        return all((f"/kameng/{name}", at) in self.received for name, at in expected)


class Operator:
    """Somebody who operates a cluster."""

    def __init__(self, market: ClusterMarket) -> None:
        self.market, self.platform = market, market.platform
        self.outsider = Outsider(self.platform.servers.amqp_url, {})
        self._admin = sa.create_engine(self.platform.servers.postgres_url, isolation_level="AUTOCOMMIT")

    def kameng(self, *arguments: str, code: int = 0) -> str:
        """What a command prints, in one line."""
        return " ".join(self.platform.kameng(*arguments, code=code).split())

    @staticmethod
    def of(*services: str) -> list[str]:
        """The processes of services, without the gateway's HTTP."""
        return [f"{service}-{role}" for service in services for role in ROLES]

    def _sql(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def back_up(self, tag: str, *services: str) -> None:
        """Copy databases, each of which is out of reach while it is copied."""
        for service in services:
            name = name_of(service)
            self.platform.logs[service].dispose()
            self._sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            wait_for(lambda name=name: not self._sessions(name), f"the end of the sessions of {name}")
            self._sql(
                f"CREATE DATABASE {tag}_{service} TEMPLATE {name}",
                f"ALTER DATABASE {name} ALLOW_CONNECTIONS true",
            )

    def _sessions(self, name: str) -> int:
        """How many sessions of a database were there, and were told to end."""
        ending = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        with self._admin.connect() as connection:
            return len(connection.execute(ending, {"name": name}).all())

    def restore(self, tag: str, *services: str) -> None:
        for service in services:
            self.platform.logs[service].dispose()
            name = name_of(service)
            self._sql(
                f"DROP DATABASE {name} WITH (FORCE)",
                f"CREATE DATABASE {name} TEMPLATE {tag}_{service} OWNER {name}",
            )

    async def says(self, name: str, key: str, *texts: str) -> None:
        """Wait until /readyz has all of these in what it says under `key`."""

        async def look() -> Answer | None:
            seen = await self.platform.readiness(name) or {}
            return seen if all(text in json.dumps(seen.get(key)) for text in texts) else None

        await until(f"{name} to say {texts}", look)

    async def is_ready(self) -> None:
        """Wait until nothing is wrong any more, anywhere."""

        async def look() -> Answer | None:
            seen = [await self.platform.readiness(name) for name in (HTTP, *self.of(*NAMES))]
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
        """Nothing is decided, and the buyer's answer says so."""
        body = {"wishes": WISHES, "payment": "wallet"}
        answer = await buyer.http.post("/v1/orders", json=body, headers={"Idempotency-Key": f"refused-{id(buyer)}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "not-deciding"), answer.text

    async def outsider_caught_up(self) -> None:
        """Wait until the outsider has received every event."""

        async def look() -> Answer | None:
            return {} if self.outsider.without_gaps(self.platform.heads()) else None

        await until("the outsider to catch up", look)


@pytest.fixture(scope="module")
def operator(published: ClusterMarket) -> Operator:
    made = Operator(published)
    made.outsider.subscribe()
    made.outsider.since |= published.platform.heads()
    return made


@pytest.mark.timeout(600)
def test_one_database_is_restored_from_an_older_backup(operator: Operator) -> None:
    market = operator.market
    order, fulfillment = operator.of("order"), operator.of("fulfillment")

    async def story() -> None:
        await operator.sell(market.buyers[:4])
        early = Buyer((await market.builder.guest(40)).http)
        taken_up = (await early.place(WISHES, payment=CHANNEL))["order_id"]
        await early.pay_link(taken_up)
        operator.back_up("before", "order")
        await market.builder.channel.pay(taken_up)
        await early.ended(taken_up, "completed")
        lost = await operator.sell(market.buyers[:3])
        unpaid = Buyer((await market.builder.guest(41)).http)
        waits = (await unpaid.place(WISHES, payment=CHANNEL))["order_id"]
        await unpaid.pay_link(waits)
        operator.platform.terminate(*fulfillment)
        stuck = (await market.buyers[5].place(WISHES, payment="wallet"))["order_id"]
        await market.buyers[5].ended(stuck, "delivering")
        known = market.platform.heads()["order"]
        operator.platform.terminate(*order)
        operator.restore("before", "order")
        kept = market.platform.heads()["order"]
        operator.platform.start(*order)

        gone = f"that log ends at {kept}: its last {known - kept} events are lost"
        await operator.says(HTTP, "diverged", gone)
        await operator.says("order-writer", "halted", "ledger has applied the log of order up to")
        await operator.says("order-publisher", "diverged", "the publisher has handed on the log of order up to")
        await operator.refuses(market.buyers[0])
        assert gone in operator.kameng("status")
        assert f"positions, {kept + 1} to {known}, are lost" in operator.kameng("heal", code=1)
        assert market.platform.heads()["order"] == kept

        operator.kameng("heal", "order", "--accept-loss")
        assert "nothing to heal" in operator.kameng("heal")
        assert market.platform.heads()["order"] >= known
        # Not earlier: its inbox holds the lost events, and it applies what it reads before it hears of the loss.
        operator.platform.start(*fulfillment)
        named = operator.kameng("lost", "--json", code=1)
        assert waits in named
        assert stuck in named
        operator.kameng("lost", "--release")
        await operator.is_ready()
        operator.kameng("rebuild", "all")
        await operator.is_ready()
        await operator.sell(market.buyers[:4])
        await early.ended(taken_up, "completed")
        await market.settled()
        assert (await market.wallet(market.buyers[5].customer))["held"] == 0
        operator.kameng("verify")
        await operator.outsider_caught_up()
        assert not {*lost, stuck, waits} & {event.order_id for event in market.platform.events("order", OrderPlaced)}

    market.run(story())
    assert not market.platform.parked()


@pytest.mark.timeout(600)
def test_all_databases_are_restored_to_an_earlier_moment(operator: Operator) -> None:
    market, everything = operator.market, [*operator.of(*NAMES), HTTP]

    async def story() -> None:
        await market.settled()
        operator.back_up("all", *NAMES)
        await operator.is_ready()
        await operator.sell(market.buyers[:4])
        await operator.outsider_caught_up()
        known = market.platform.heads()
        operator.platform.terminate(*everything)
        operator.restore("all", *NAMES)
        kept = market.platform.heads()
        operator.platform.start(*everything)

        for service in ("order", "ledger", "inventory"):
            await operator.says(f"{service}-publisher", "diverged", f"ends at {kept[service]}")
            await operator.says(f"{service}-writer", "halted", "the publisher has handed on the log")
        await operator.says(HTTP, "status", '"')
        await operator.refuses(market.buyers[0])
        assert "the publisher has handed on the log of order" in operator.kameng("status")
        operator.kameng("heal", code=1)

        operator.kameng("heal", "--accept-loss")
        assert market.platform.heads() == known
        await operator.is_ready()
        await operator.sell(market.buyers[:4])
        await market.settled()
        await operator.outsider_caught_up()
        assert not any(PositionLost.__name__ in name for name in operator.outsider.names)
        operator.kameng("verify")

    market.run(story())
    assert not market.platform.parked()
