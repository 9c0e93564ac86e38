"""A whole platform to test against: `kameng serve` in a process of its own, with sandboxes that outlive it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import sqlalchemy as sa

from cli.__main__ import SERVICES
from cli.proofs import Proof, prove
from demo.market import ScenarioBuilder
from demo.running import PASSWORD, free_port, served
from demo.shop import (
    Answer,
    Buyer,
    Channel,
    answer_of,
    client_at,
    until,
)
from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from shared.contracts import Event
from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.eventstore.log import to_text
from shared.runtime.embedded import database_url
from shared.security.secrets import Secrets
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

LIMITS = {
    "KAMENG_PAY_WITHIN_SECONDS": "600",
    "KAMENG_DELIVER_WITHIN_SECONDS": "600",
    "KAMENG_RESERVE_FOR_SECONDS": "3600",
    "KAMENG_ANSWER_WITHIN_SECONDS": "120",
}
PRODUCT_COLUMNS = ("sku", "name", "price", "kind", "source", "suppliers", "currency")
KEY_COLUMNS = ("sku", "key")
FUNDED_AT_ONCE = 99
T = TypeVar("T")
E = TypeVar("E", bound=Event)


@dataclass
class Server:
    """`kameng serve` on one folder and port, that may be killed and started again. `printed` is all it ever wrote."""

    var: Path
    port: int
    environment: dict[str, str]
    printed: str = ""
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        self._running.callback(self._keep_print)
        self._running.enter_context(served(self.var, self.environment, self.port))

    def _keep_print(self) -> None:
        self.printed += (self.var / "serve.log").read_text()

    def kill(self) -> None:
        """End it as a power cut does."""
        os.kill(json.loads((self.var / "serve.json").read_text())["pid"], signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Ask it to end, and wait; nothing happens when it has."""
        self._running.close()


@dataclass
class Market:
    """A running platform and the people around it. `run` drives coroutines on the loop that its clients live on."""

    server: Server
    address: str
    sandboxes: dict[str, str]
    loop: asyncio.Runner
    builder: ScenarioBuilder
    staff: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    @property
    def var(self) -> Path:
        return self.server.var

    @property
    def secrets(self) -> Secrets:
        return Secrets(self.var / "secrets")

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(coroutine)

    def guest(self, number: int) -> httpx.AsyncClient:
        """A client that nobody knows, from an address of its own."""
        return self.run(self.builder.guest(number)).http

    async def upload(self, kind: str, name: str, content: bytes, **form: str) -> httpx.Response:
        """Send a file to be imported, as operations."""
        files = {"file": (name, content)}
        return await self.staff["operations"].post(f"/v1/imports/{kind}", files=files, data=form, timeout=120)

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
            told = {"login": f"customer-{uuid4()}", "password": "correct horse battery"}
            registered = answer_of(await buyer.http.post("/v1/customers", json=told))
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
        """Wait until every order but those `waiting` has ended, nothing is behind and nothing on an agenda is due."""

        async def look() -> Answer | None:
            for status in ("placed", "paid", "delivering"):
                params = {"status": status, "limit": str(1 + len(waiting))}
                page = answer_of(await self.staff["support"].get("/v1/orders", params=params))
                if any(order["order_id"] not in waiting for order in page["items"]):
                    return None
            ready = answer_of(await self.staff["support"].get("/readyz"))
            return ready if not any(ready["lag"].values()) and not self.due() else None

        await until("everything to settle", look, seconds=120)

    async def asked_as_merchant(self, path: str) -> Answer:
        """What the payment channel says to a signed question of ours."""
        moment = int(time())
        signed = f"GET {path}\n".encode()
        headers = {
            TIMESTAMP_HEADER: str(moment),
            SIGNATURE_HEADER: sign(self.secrets.get(f"channel-{CHANNEL}"), moment, signed),
        }
        return answer_of(await self.builder.channel.http.get(path, headers=headers))

    # What the files say

    @contextmanager
    def reading(self, service: str) -> Iterator[sa.Connection]:
        engine = self.engine(service)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def engine(self, service: str) -> sa.Engine:
        return open_engine(database_url(self.var, service), writer=False)

    def heads(self) -> dict[str, int]:
        """Where every service's log ends."""
        found = {}
        for service in SERVICES:
            with self.reading(service.name) as connection:
                found[service.name] = log.read_head(connection).position
        return found

    def events(self, service: str, kind: type[E]) -> list[E]:
        """A service's events of one type."""
        engine = self.engine(service)
        found = [one.event for one in log.read_all(engine, service) if one.name == kind.__name__]
        engine.dispose()
        return [event for event in found if isinstance(event, kind)]

    def due(self) -> list[str]:
        """What stands on an agenda and is due or under way, or has failed for good. Looking again whether a supplier
        that said no has delivered after all goes on for hours, and is left out."""
        agenda, now = schema.agenda.c, to_text(datetime.now(UTC))
        found = []
        for service in SERVICES:
            with self.reading(service.name) as connection:
                late = (agenda.due_at <= now) | agenda.leased_until.is_not(None)
                late = (late & ~agenda.key.startswith("again/")) | (agenda.state == "failed")
                found += [
                    f"{service.name}: {key}" for key in connection.execute(sa.select(agenda.key).where(late)).scalars()
                ]
        return found

    def parked(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for service in SERVICES:
            with self.reading(service.name) as connection:
                rows = connection.execute(sa.select(schema.parked.c.type, schema.parked.c.error))
                found.update(f"{service.name}: {row.type}: {row.error}" for row in rows)
        return found

    def proofs(self) -> list[Proof]:
        """The four proofs, computed from the files."""
        logs = {service.name: self.engine(service.name) for service in SERVICES}
        try:
            return prove(SERVICES, logs)
        finally:
            for engine in logs.values():
                engine.dispose()


def csv_bytes(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    return text.getvalue().encode()


@contextmanager
def open_market(var: Path, **limits: str) -> Iterator[Market]:
    """A new platform on a folder, with one member of staff for each role; the first supplier fails by default."""
    var.mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        sandboxes = stack.enter_context(run_sandboxes(Secrets(var / "secrets"), address))
        suppliers = {name: {"url": sandboxes[name], "timeout_seconds": 1} for name in SUPPLIERS}
        environment = {
            **LIMITS,
            "KAMENG_SUPPLIERS": json.dumps(suppliers),
            "KAMENG_CHANNELS": json.dumps({CHANNEL: {"url": sandboxes[CHANNEL]}}),
            **limits,
        }
        answer_of(httpx.put(f"{sandboxes[SUPPLIERS[0]]}/behaviour", json={"behaviour": "failing"}))
        server = Server(var, port, environment)
        server.start()
        stack.callback(server.stop)
        loop = stack.enter_context(asyncio.Runner())
        clients = AsyncExitStack()
        stack.callback(lambda: loop.run(clients.aclose()))
        channel = Channel(loop.run(clients.enter_async_context(client_at(sandboxes[CHANNEL], "127.0.0.1"))))
        builder = ScenarioBuilder(address, channel, clients, lambda what, done, total: None)
        market = Market(server, address, sandboxes, loop, builder)
        password = PASSWORD.search((var / "serve.log").read_text())
        assert password, "the server showed no administrator's password"
        market.staff = market.run(builder.staff(password.group(1)))
        yield market
