"""A cluster in which people buy, and go on buying while its parts fail."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

from sandboxes.running import SUPPLIERS
from shared.contracts.order import OrderPlaced
from tests.acceptance.cluster.load import CARDS, TOP_UP, Load
from tests.platform.market import PRODUCT_COLUMNS, ClusterMarket, open_cluster
from tests.servers import end_servers

KEYS, CUSTOMERS = 1_500, 24
Fault: TypeAlias = "Callable[[ClusterMarket, Load], Awaitable[None]]"


@contextmanager
def stocked_cluster(var: Path, *, publish: bool = False, webhooks: bool = False) -> Iterator[ClusterMarket]:
    """A new cluster with goods and with customers who have money; its servers end with it.

    Raises InfrastructureError when the servers can't be had, or a process does not start.
    """
    answer = {"KAMENG_ANSWER_WITHIN_SECONDS": "600"}  # no fault here is so long that an order may be given up
    with ExitStack() as stack:
        stack.callback(end_servers, var)
        market = stack.enter_context(open_cluster(var, answer, publish=publish, webhooks=webhooks))
        market.run(_stock(market))
        yield market


async def _stock(market: ClusterMarket) -> None:
    top_up = (TOP_UP, "Top-up", "10.00", "top-up", "supplier", ",".join(SUPPLIERS), "CNY")
    await market.load("products", PRODUCT_COLUMNS, [top_up])
    await market.stock({sku: [f"{sku}-{number:04d}" for number in range(KEYS)] for sku in CARDS})
    market.buyers = await market.customers(CUSTOMERS, 10_000_000)


def survives(market: ClusterMarket, fault: Fault) -> None:
    """People buy while this happens: every order that was acknowledged must end, and everything be right.

    Prints how many orders there were, and why requests were sent again.
    """
    before = _ordered(market)
    load = Load(market, random.Random(fault.__name__))

    async def happen() -> None:
        await load.run(lambda load: fault(market, load))
        await market.settled()

    market.run(happen())
    print(f"{fault.__name__}: {len(load.placed)} orders, asked again for {dict(load.outcomes.again)}")
    placed = _ordered(market) - before
    assert placed.keys() == {*load.placed}
    assert set(placed.values()) == {1}
    assert not load.outcomes.failed
    market.run(market.check_suppliers())
    assert not market.platform.parked()
    for proof in market.platform.proofs():
        assert proof.ok, proof


def _ordered(market: ClusterMarket) -> Counter[str]:
    return Counter(event.order_id for event in market.platform.events("order", OrderPlaced))
