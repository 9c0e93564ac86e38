"""A platform and the people around it: staff, customers, guests, a payment channel, suppliers."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import time
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import uuid4

import httpx

from demo.market import ScenarioBuilder
from demo.running import PASSWORD, free_port
from demo.shop import (
    Answer,
    Buyer,
    Channel,
    Unexpected,
    answer_of,
    client_at,
    until,
)
from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from shared.contracts.fulfillment import SupplierDelivered
from shared.security.secrets import Secrets
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.platform.cluster import ClusterPlatform, Shape, cluster
from tests.platform.served import Served
from tests.waiting import PATIENCE

LIMITS = {
    "KAMENG_PAY_WITHIN_SECONDS": "600",
    "KAMENG_DELIVER_WITHIN_SECONDS": "600",
    "KAMENG_RESERVE_FOR_SECONDS": "3600",
    "KAMENG_ANSWER_WITHIN_SECONDS": "120",
}
PRODUCT_COLUMNS = ("sku", "name", "price", "kind", "source", "suppliers", "currency")
KEY_COLUMNS = ("sku", "key")
FUNDED_AT_ONCE = 99
until.__defaults__ = (PATIENCE,)  # the people of the demo wait as long as tests do
T = TypeVar("T")
P = TypeVar("P", Served, ClusterPlatform)
Start: TypeAlias = Callable[[Path, int, Mapping[str, str]], AbstractContextManager[P]]


@dataclass
class Market(Generic[P]):
    """`run` drives coroutines on the loop that the clients of all people live on; `buyers` are customers."""

    platform: P
    sandboxes: dict[str, str]
    loop: asyncio.Runner
    builder: ScenarioBuilder
    staff: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    buyers: list[Buyer] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.platform.address

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(coroutine)

    def guest(self, number: int) -> httpx.AsyncClient:
        """A client that nobody knows, from an address of its own."""
        return self.run(self.builder.guest(number)).http

    async def upload(self, kind: str, name: str, content: bytes, **form: str) -> httpx.Response:
        """Send a file to be imported, as operations."""
        files = {"file": (name, content)}
        return await self.staff["operations"].post(f"/v1/imports/{kind}", files=files, data=form, timeout=PATIENCE)

    async def load(self, kind: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Answer:
        """Import rows as a CSV file; each must be taken."""
        report = answer_of(await self.upload(kind, f"{kind}.csv", csv_bytes(columns, rows)))
        assert report["counts"] == {"listed" if kind == "products" else "loaded": len(rows)}, report
        return report

    async def stock(self, keys: dict[str, Sequence[str]], price: str = "10.00") -> None:
        """List products sold from keys, and load their keys."""
        products = [(sku, f"Card {sku}", price, "card-key", "keys", "", "CNY") for sku in keys]
        await self.load("products", PRODUCT_COLUMNS, products)
        await self.load("keys", KEY_COLUMNS, [(sku, key) for sku, texts in keys.items() for key in texts])

    async def customers(self, count: int, fen: int) -> list[Buyer]:
        """Registered customers with money in their wallets."""
        buyers = [await self.builder.guest(number) for number in range(count)]
        for buyer in buyers:
            account = {"login": f"customer-{uuid4()}", "password": "correct horse battery"}
            registered = answer_of(await buyer.http.post("/v1/customers", json=account))
            buyer.customer = registered["customer"]
            buyer.http.headers["Authorization"] = f"Bearer {registered['token']}"
        for start in range(0, count, FUNDED_AT_ONCE):
            some = buyers[start : start + FUNDED_AT_ONCE]
            postings = [{"account": f"wallet:{buyer.customer}", "amount": -fen} for buyer in some]
            postings.append({"account": f"channel:{CHANNEL}", "amount": fen * len(some)})
            body = {"postings": postings, "note": "opening balances"}
            answer_of(await self.staff["finance"].post("/v1/ledger/entries", json=body))
        return buyers

    async def wallet(self, customer: str) -> Answer:
        """The balance of a customer that has one."""
        seen = answer_of(await self.staff["support"].get(f"/v1/wallets/{customer}"))
        (balance,) = seen["balances"]
        return balance

    async def settled(self, *waiting: str) -> None:
        """Wait until every order but those `waiting` has ended, nothing is behind and nothing scheduled is due."""
        left: list[str] = []

        async def look() -> Answer | None:
            left[:] = await asyncio.to_thread(self.platform.unfinished, *waiting)
            return None if left else {}

        try:
            await until("everything to settle", look, 2 * PATIENCE)
        except Unexpected as error:
            raise Unexpected(f"{error}: {left}") from None

    async def asked_as_merchant(self, path: str) -> Answer:
        """What the payment channel says to a signed question of ours."""
        moment = int(time())
        signed = f"GET {path}\n".encode()
        headers = {
            TIMESTAMP_HEADER: str(moment),
            SIGNATURE_HEADER: sign(self.platform.secrets.get(f"channel-{CHANNEL}"), moment, signed),
        }
        return answer_of(await self.builder.channel.http.get(path, headers=headers))

    async def check_suppliers(self) -> None:
        """Each line was bought once at most, and every line that says so was."""
        lines: Counter[str] = Counter()
        for name in SUPPLIERS:
            async with httpx.AsyncClient(base_url=self.sandboxes[name]) as supplier:
                for request_id, account in answer_of(await supplier.get("/purchases")).items():
                    lines[request_id.rpartition("#")[0]] += account["bought"]
        delivered = Counter(event.delivery_id for event in self.platform.events("fulfillment", SupplierDelivered))
        assert set(delivered.values()) == {1}
        assert +lines == delivered


def csv_bytes(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    return text.getvalue().encode()


ServedMarket: TypeAlias = Market[Served]
ClusterMarket: TypeAlias = Market[ClusterPlatform]


@contextmanager
def opened(var: Path, start: Start[P], environment: Mapping[str, str]) -> Iterator[Market[P]]:
    """A new platform on a folder, with one member of staff for each role; the first supplier fails by default."""
    var.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with ExitStack() as stack:
        sandboxes = stack.enter_context(run_sandboxes(Secrets(var / "secrets"), f"http://127.0.0.1:{port}"))
        suppliers = {name: {"url": sandboxes[name], "timeout_seconds": 1} for name in SUPPLIERS}
        settings = {
            **LIMITS,
            "KAMENG_SUPPLIERS": json.dumps(suppliers),
            "KAMENG_CHANNELS": json.dumps({CHANNEL: {"url": sandboxes[CHANNEL]}}),
            **environment,
        }
        answer_of(httpx.put(f"{sandboxes[SUPPLIERS[0]]}/behaviour", json={"behaviour": "failing"}))
        platform = stack.enter_context(start(var, port, settings))
        loop = stack.enter_context(asyncio.Runner())
        clients = AsyncExitStack()
        stack.callback(lambda: loop.run(clients.aclose()))
        channel = Channel(loop.run(clients.enter_async_context(client_at(sandboxes[CHANNEL], "127.0.0.1"))))
        builder = ScenarioBuilder(platform.address, channel, clients, lambda what, done, total: None)
        market = Market(platform, sandboxes, loop, builder)
        password = PASSWORD.search(platform.printed())
        assert password, "the platform showed no administrator's password"
        market.staff = market.run(builder.staff(password.group(1)))
        yield market


def open_market(var: Path, environment: Mapping[str, str] = {}) -> AbstractContextManager[ServedMarket]:
    """With `kameng serve`."""
    return opened(var, Served, environment)


def open_cluster(
    var: Path,
    environment: Mapping[str, str] = {},
    *,
    publish: bool = False,
    webhooks: bool = False,
    shape: Shape = iter,
    progress: Callable[[str], None] = print,
) -> AbstractContextManager[ClusterMarket]:
    """With a cluster. Raises InfrastructureError when the servers can't be had, or a process does not start."""
    start = partial(cluster, publish=publish, webhooks=webhooks, shape=shape, progress=progress)
    return opened(var, start, environment)
