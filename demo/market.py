"""Sets the demo's market up: staff, catalogue, keys, and customers with money in their wallets."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import httpx

from demo.paths import (
    CHANNEL,
    SCARCE,
    STOLEN_DEVICE,
    DemoMarket,
)
from demo.shop import (
    Answer,
    Buyer,
    Channel,
    answer_of,
    client_at,
    until,
)

CATALOGUE = Path(__file__).parents[1] / "deploy" / "demo"
FUNDS = 400_000
CHEAP = 12_000
# The number of orders that the workbooks' keys, and a customer's funds, suffice for.
ORDERS_IN_STOCK, ORDERS_IN_FUNDS = 1_000, 10
Report = Callable[[str, int, int], None]


@dataclass
class ScenarioBuilder:
    """Builds the market through the API. `report(what, done, total)` is called with the progress."""

    address: str
    channel: Channel
    stack: AsyncExitStack
    report: Report

    async def staff(self, admin_password: str) -> dict[str, httpx.AsyncClient]:
        """The administrator and one member of staff for each role, signed in."""
        admin = await self._signed_in("admin", admin_password)
        members = {"administrator": admin}
        for role in ("operations", "support", "finance"):
            password = secrets.token_urlsafe(18)
            body = {"username": f"demo-{role}", "role": role, "password": password}
            answer_of(await admin.post("/v1/staff", json=body))
            members[role] = await self._signed_in(f"demo-{role}", password)
        return members

    async def _signed_in(self, login: str, password: str) -> httpx.AsyncClient:
        client = await self.stack.enter_async_context(client_at(self.address, "127.0.0.1"))
        body = {"kind": "staff", "login": login, "password": password}
        session = answer_of(await client.post("/v1/sessions", json=body))
        client.headers["Authorization"] = f"Bearer {session['token']}"
        return client

    async def stock(self, operations: httpx.AsyncClient) -> dict[str, Answer]:
        """Import the workbooks, and put a stolen device on the block list. Returns the import reports."""
        reports = {}
        for kind in ("products", "keys"):
            file = CATALOGUE / f"{kind}.xlsx"
            self.report(f"importing {file.name}", 0, 0)
            files = {"file": (file.name, file.read_bytes())}
            reports[kind] = answer_of(await operations.post(f"/v1/imports/{kind}", files=files, timeout=300))
        entry = {"list": "block", "dimension": "device", "value": STOLEN_DEVICE, "reason": "reported stolen"}
        answer_of(await operations.post("/v1/risk/lists", json=entry))
        return reports

    async def more_keys(self, operations: httpx.AsyncClient, products: Sequence[Answer], orders: int) -> None:
        """Import more keys if there are more orders than the workbooks hold keys for: as many again for each
        thousand."""
        times = ceil(orders / ORDERS_IN_STOCK) - 1
        rows = [
            f"{one['sku']},{one['sku']}-{secrets.token_hex(8)}"
            for one in products
            for _ in range(times * one["stock"]["available"])
        ]
        if rows:
            self.report("importing more keys", 0, 0)
            files = {"file": ("more-keys.csv", "\n".join(["SKU,卡密", *rows]).encode())}
            answer_of(await operations.post("/v1/imports/keys", files=files, timeout=600))

    async def guest(self, number: int) -> Buyer:
        source = f"127.{1 + number % 200}.{number // 200 % 250}.{1 + number // 50_000 % 250}"
        return Buyer(await self.stack.enter_async_context(client_at(self.address, source, device=f"guest-{number}")))

    async def customer(self, login: str, number: int, fen: int) -> Buyer:
        """A registered customer with money in the wallet, paid in through the channel."""
        buyer = await self.guest(number)
        password = secrets.token_urlsafe(18)
        answer = answer_of(await buyer.http.post("/v1/customers", json={"login": login, "password": password}))
        buyer.customer = answer["customer"]
        buyer.http.headers["Authorization"] = f"Bearer {answer['token']}"
        wallet = f"/v1/wallets/{buyer.customer}"
        body = {"amount": {"amount": fen, "currency": "CNY"}, "channel": CHANNEL}
        payment = answer_of(await buyer.http.post(f"{wallet}/deposits", json=body))["payment_id"]

        async def opened() -> Answer | None:
            answer = answer_of(await buyer.http.get(f"/v1/payments/{payment}"))
            return answer if answer["pay_url"] else None

        async def funded() -> Answer | None:
            answer = answer_of(await buyer.http.get(wallet))
            return answer if answer["balances"] else None

        await until(f"deposit of {login} to open", opened)
        await self.channel.pay(payment)
        await until(f"wallet of {login}", funded)
        return buyer

    async def customers(self, count: int, orders: int) -> list[Buyer]:
        """Make `count` customers, a few at a time, with funds for `orders` orders together."""
        free, done = asyncio.Semaphore(8), 0
        funds = FUNDS * ceil(orders / count / ORDERS_IN_FUNDS)

        async def one(number: int) -> Buyer:
            nonlocal done
            async with free:
                buyer = await self.customer(f"customer-{number:03d}", number, funds)
            done += 1
            self.report("funding customers", done, count)
            return buyer

        return list(await asyncio.gather(*map(one, range(count))))


async def all_products(client: httpx.AsyncClient) -> list[Answer]:
    """The whole catalogue, page by page."""
    items: list[Answer] = []
    cursor: str | None = None
    while True:
        params = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        page = answer_of(await client.get("/v1/products", params=params))
        items += page["items"]
        if (cursor := page["next"]) is None:
            return items


@asynccontextmanager
async def market(
    address: str, channel_address: str, admin_password: str, customers: int, orders: int, report: Report
) -> AsyncIterator[tuple[DemoMarket, dict[str, Answer]]]:
    """A market that is ready for these customers and orders, and the reports of its imports."""
    async with AsyncExitStack() as stack:
        channel = Channel(await stack.enter_async_context(client_at(channel_address, "127.0.0.1")))
        builder = ScenarioBuilder(address, channel, stack, report)
        staff = await builder.staff(admin_password)
        reports = await builder.stock(staff["operations"])
        products = await all_products(staff["operations"])
        with_keys = [one for one in products if one["source"] == "keys" and one["sku"] != SCARCE]
        cheap = [one for one in with_keys if one["price"]["amount"] <= CHEAP and one["stock"]["available"] >= 20]
        top_ups = [one for one in products if one["source"] == "supplier" and one["price"]["amount"] <= CHEAP]
        dear = max(with_keys, key=lambda one: one["price"]["amount"] * (one["stock"]["available"] > 40))
        await builder.more_keys(staff["operations"], cheap, orders)
        buyers = await builder.customers(customers, orders)

        async def rich(number: int, fen: int) -> Buyer:
            return await builder.customer(f"special-{number}", number, fen)

        yield (
            DemoMarket(
                support=staff["support"],
                operations=staff["operations"],
                customers=buyers,
                channel=channel,
                keys=[one["sku"] for one in cheap],
                top_ups=[one["sku"] for one in top_ups],
                dear=dear,
                guest=builder.guest,
                rich=rich,
            ),
            reports,
        )
