"""Two hundred orders want the last fifty keys of one product at the same moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from demo.shop import Answer, Buyer
from tests.platform.market import ServedMarket, open_market

BUYERS, EACH, KEYS, PRICE, FUNDS = 40, 5, 50, 1_000, 5_000
SKU = "LAST-50"
Bought = tuple[Buyer, Answer]


def test_the_last_keys_are_sold_once_each(tmp_path: Path) -> None:
    texts = [f"LAST-KEY-{number:03d}" for number in range(KEYS)]
    with open_market(tmp_path) as market:
        market.run(market.stock({SKU: texts}))
        buyers = market.run(market.customers(BUYERS, FUNDS))
        bought = market.run(_all_at_once(buyers))
        market.run(market.settled())
        orders = [order for _, order in bought]

        assert Counter(order["status"] for order in orders) == {"completed": KEYS, "cancelled": len(orders) - KEYS}
        refused = [order for order in orders if order["status"] == "cancelled"]
        assert {order["cancel_reason"] for order in refused} == {"short-stock"}
        delivered = market.run(_delivered(bought))
        assert sorted(delivered) == texts
        market.run(_wallets_agree(market, bought))
        stock = market.run(market.staff["operations"].get(f"/v1/products/{SKU}")).json()["stock"]
        nothing = dict.fromkeys(("available", "reserved", "faulted", "expired", "withdrawn"), 0)
        assert stock == {**nothing, "loaded": KEYS, "sold": KEYS}
        market.platform.stop()
        assert not market.platform.parked()
        assert all(proof.ok for proof in market.platform.proofs())


async def _all_at_once(buyers: list[Buyer]) -> list[Bought]:
    async def buy(buyer: Buyer) -> Bought:
        order = await buyer.place([{"sku": SKU, "quantity": 1}])
        return buyer, await buyer.ended(order["order_id"])

    return list(await asyncio.gather(*(buy(buyer) for buyer in buyers for _ in range(EACH))))


async def _delivered(bought: list[Bought]) -> list[str]:
    """Every key text that any buyer can see."""
    found: list[str] = []
    for buyer, order in bought:
        deliveries = (await buyer.get(order["order_id"], "/deliveries"))["items"]
        found += [key["key"] for delivery in deliveries for key in delivery.get("keys", ())]
    return found


async def _wallets_agree(market: ServedMarket, bought: list[Bought]) -> None:
    delivered = Counter(buyer.customer for buyer, order in bought if order["status"] == "completed")
    for customer in {buyer.customer for buyer, _ in bought}:
        left = FUNDS - PRICE * delivered[customer]
        balance = await market.wallet(customer)
        assert balance == {"currency": "CNY", "balance": left, "held": 0, "available": left}
