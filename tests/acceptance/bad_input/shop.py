"""A market for requests that it must refuse, and what a refusal looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from demo.shop import Answer, Buyer
from sandboxes.running import CHANNEL
from tests.platform.market import PRODUCT_COLUMNS, ServedMarket

CARD, DOLLARS, TOP_UP = "CARD", "CARD-USD", "TOP-UP"
WISH = {"sku": CARD, "quantity": 1}


@dataclass
class Shop:
    """A market where nothing moves: a finished order, one that waits for its payment, two customers."""

    market: ServedMarket
    alice: Buyer
    bob: Buyer
    guest: Buyer
    done: str
    waiting: str
    bought: str

    def who(self, name: str) -> httpx.AsyncClient:
        people = {"alice": self.alice.http, "bob": self.bob.http, "guest": self.guest.http}
        return people.get(name) or self.market.staff[name]

    def ask(self, who: str, method: str, path: str, **arguments: Any) -> httpx.Response:
        path = path.format(done=self.done, waiting=self.waiting, alice=self.alice.customer)
        return self.market.run(self.who(who).request(method, path, **arguments))

    def place(self, content: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
        """Send alice's order as these bytes."""
        whole = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json", **headers}
        return self.ask("alice", "POST", "/v1/orders", content=content, headers=whole)


async def opened(market: ServedMarket) -> Shop:
    """Stocked, with the two orders."""
    await market.stock({CARD: [f"C-{number}" for number in range(40)]})
    rows = [
        (DOLLARS, "Dollars", "3.00", "card-key", "keys", "", "USD"),
        (TOP_UP, "Top-up", "10.00", "top-up", "supplier", "beta", "CNY"),
    ]
    await market.load("products", PRODUCT_COLUMNS, rows)
    alice, bob = await market.customers(2, 100_000)
    guest = await market.builder.guest(99)
    done = (await alice.place([WISH]))["order_id"]
    bought = (await alice.place([{"sku": TOP_UP, "quantity": 1, "target": "ok:13800000000"}]))["order_id"]
    for order_id in (done, bought):
        await alice.ended(order_id, "completed")
    waiting = (await guest.place([WISH], payment=CHANNEL))["order_id"]
    await guest.pay_link(waiting)
    await market.settled(waiting)
    return Shop(market, alice, bob, guest, done, waiting, bought)


def problem(response: httpx.Response, *statuses: int) -> Answer:
    """A refusal in the one form that every refusal has."""
    assert response.status_code in (statuses or (400, 422)), response.text
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:kameng:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    return body
