"""What operators do to a cluster at work: replace its processes, rebuild its tables, mend what was parked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGCONT, SIGSTOP
from uuid import uuid4

import sqlalchemy as sa

from demo.shop import Answer, Buyer, until
from services import NAMES
from services.gateway.http.context import derived_id
from shared.contracts import Event
from shared.contracts.ledger import FundsHeld
from shared.contracts.order import OrderCompleted, OrderPlaced
from shared.eventstore import schema
from tests.acceptance.cluster.load import AT_ONCE, CARDS, Load
from tests.acceptance.cluster.market import Fault
from tests.platform.cluster import HTTP
from tests.platform.market import ClusterMarket

WISHES: list[Answer] = [{"sku": CARDS[0], "quantity": 1}]
STEPS = ("OrderPlaced", "OrderConfirmed", "OrderCompleted")


async def every_process_is_replaced(market: ClusterMarket, load: Load) -> None:
    for service in NAMES:
        await asyncio.to_thread(market.platform.replace, f"{service}-writer", f"{service}-log-server")
        await load.further(2)
    await asyncio.to_thread(market.platform.replace, HTTP)


async def standbys_take_over(market: ClusterMarket, load: Load) -> None:
    """From a writer that is killed, and from one that freezes and wakes up again."""
    with market.platform.second_writer("order") as order, market.platform.second_writer("ledger") as ledger:
        await market.platform.becomes(order, "standby")
        await market.platform.becomes(ledger, "standby")
        market.platform.kill("order-writer")
        market.platform.signal("ledger-writer", SIGSTOP)
        await market.platform.becomes(order, "leader")
        await market.platform.becomes(ledger, "leader")
        await load.further(4)
        market.platform.start("order-writer")
        market.platform.signal("ledger-writer", SIGCONT)
        await market.platform.becomes("order-writer", "standby")
        await market.platform.becomes("ledger-writer", "standby")
        await load.further(4)
    await market.platform.becomes("order-writer", "leader")
    await market.platform.becomes("ledger-writer", "leader")


async def every_service_is_rebuilt(market: ClusterMarket, load: Load) -> None:
    await asyncio.to_thread(market.platform.kameng, "rebuild", "all")
    await load.further(2)
    await asyncio.to_thread(market.platform.kameng, "verify")


async def poison_is_parked_and_replayed(market: ClusterMarket, load: Load) -> None:
    """One order can't be shown, another can't be paid, and nobody else notices; then the causes are gone."""
    shopper, key = market.buyers[0], uuid4().hex
    (stranger,) = await market.customers(1, 10_000_000)  # who has not bought yet
    hidden = derived_id("order", f"customer:{shopper.customer}", key)
    async with load.client(shopper) as first, load.client(stranger) as second:
        unshown, unpaid = Buyer(first), Buyer(second)
        with (
            refusing(market.platform.logs["gateway"], "orders", f"order_id <> '{hidden}'"),
            refusing(market.platform.logs["ledger"], "accounts", f"account <> 'wallet:{stranger.customer}'"),
        ):
            await load.place(unshown, WISHES, key, "wallet")
            waiting = await load.place(unpaid, WISHES, uuid4().hex, "wallet")
            await _until_parked(market, "gateway", hidden, OrderPlaced, OrderCompleted)
            await _until_parked(market, "ledger", waiting, OrderPlaced)
            await load.further(2 * AT_ONCE)

            secret = {"Order-Secret": unshown.secrets[hidden]}
            answer = await shopper.http.get(f"/v1/orders/{hidden}", headers=secret)
            assert (answer.status_code, answer.json()["code"]) == (503, "not-shown-yet")
            assert (await unpaid.get(waiting))["status"] == "placed"
        replays = (("parked", "replay", service, "--all") for service in ("ledger", "gateway"))
        for said in await asyncio.gather(*(asyncio.to_thread(market.platform.kameng, *replay) for replay in replays)):
            assert " 0 still parked" in said
        await unshown.ended(hidden, "completed")
        await unpaid.ended(waiting, "completed")
        history = (await unshown.get(hidden, "/history"))["items"]
    assert [item["event"] for item in history if item["event"] in STEPS] == list(STEPS)
    assert sum(event.order_id == waiting for event in market.platform.events("ledger", FundsHeld)) == 1


@contextmanager
def refusing(engine: sa.Engine, table: str, rows: str) -> Iterator[None]:
    """A table that takes only some rows for a while."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT refusing CHECK ({rows}) NOT VALID")
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT refusing")


async def _until_parked(market: ClusterMarket, service: str, order_id: str, *kinds: type[Event]) -> None:
    """Events of the order are parked, these among them, and those of no other order."""

    async def look() -> Answer | None:
        with market.platform.reading(service) as connection:
            found = connection.execute(sa.select(schema.parked.c.key, schema.parked.c.type)).all()
        assert {row.key for row in found} <= {f"order:order-{order_id}"}
        return {} if {row.type for row in found} >= {kind.type() for kind in kinds} else None

    await until(f"events of {order_id} to be parked in {service}", look)


OPERATIONS: tuple[Fault, ...] = (
    every_process_is_replaced,
    standbys_take_over,
    every_service_is_rebuilt,
    poison_is_parked_and_replayed,
)
