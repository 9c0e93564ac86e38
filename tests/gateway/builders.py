"""Events at their place in a log, and a backend that remembers the commands it got."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.routing import BaseRoute

from services.gateway.access.auth import Principal, issue
from services.gateway.access.credentials import Credentials
from services.gateway.http.app import create_app
from services.gateway.kept import metadata as kept
from services.gateway.orders.buyers import buyer_key
from services.gateway.read_models import ReadModels
from shared.contracts import Command, Event, Metadata, Money
from shared.contracts.gateway import CustomerRegistered, Role, StaffAdded
from shared.contracts.inventory import Listing, ProductListed
from shared.contracts.order import OrderLine, OrderPlaced, PlaceOrder
from shared.eventstore.engines import open_engine
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.readside.backend import Backend, ServiceHealth
from shared.readside.positions import ReadModelProgress
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.settings import ChannelSettings, Settings, SupplierSettings
from shared.security.secrets import Secrets
from tests.amounts import yuan
from tests.gateway.contract import OF_THE_API, Contract, Routed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Answer = Reply | Exception


def line(number: int = 1, sku: str = "STEAM-50", quantity: int = 1, **more: Any) -> OrderLine:
    price = yuan(50)
    fields: dict[str, Any] = {
        "line": number,
        "sku": sku,
        "name": "Steam 50",
        "kind": "card-key",
        "source": "keys",
        "quantity": quantity,
        "unit_price": price,
        "amount": price * quantity,
    }
    return OrderLine(**{**fields, **more})


def placed(order_id: str = "o1", customer: str | None = "c1", **more: Any) -> OrderPlaced:
    lines = more.pop("lines", (line(),))
    fields: dict[str, Any] = {
        "order_id": order_id,
        "customer": customer,
        "lines": lines,
        "total": Money(amount=sum(item.amount.amount for item in lines)),
        "payment": "wallet",
        "sales_channel": "web",
        "channel_order_no": None,
        "buyer_key": "key",
        "ip": "192.0.2.1",
        "device": "device-1",
        "email": "buyer@example.com",
        "locale": "zh",
        "agent": None,
        "fingerprint": "f",
        "pay_by": NOW + timedelta(minutes=30),
        "reserved_until": NOW + timedelta(hours=1),
    }
    return OrderPlaced(**{**fields, **more})


def listed(sku: str = "STEAM-50", **more: Any) -> ProductListed:
    fields = {"sku": sku, "name": "Steam 50", "price": yuan(50), "cost": yuan(45), "suppliers": ("north",), **more}
    return ProductListed(sku=sku, listing=Listing(**fields))


def customer_registered(customer: str = "c1") -> CustomerRegistered:
    return CustomerRegistered(customer=customer, name="", email="")


class Logs:
    """Gives events their places, a position after the other in each owner's log, a second apart."""

    def __init__(self) -> None:
        self._heads: dict[str, int] = {}
        self._count = 0

    def record(self, event: Event, actor: str = "system:test") -> RecordedEvent:
        source = event.owner
        position = self._heads[source] = self._heads.get(source, 0) + 1
        self._count += 1
        meta = Metadata(correlation_id="flow", causation_id="cause", actor=actor)
        return RecordedEvent(
            source=source,
            position=position,
            stream=f"{source}-{event.partition_key()}",
            version=position,
            id=f"{source}-{position}",
            type=event.type(),
            data=event.model_dump_json(),
            meta_json=meta.model_dump_json(),
            at=NOW + timedelta(seconds=self._count),
        )


def fold(engine: sa.Engine, recorded: Iterable[RecordedEvent], batch: int = 100) -> None:
    """Fold events as a writer does, `batch` of them a transaction."""
    events = list(recorded)
    for start in range(0, len(events), batch):
        with engine.begin() as connection:
            projection = ReadModels(lambda connection=connection: connection)
            for item in events[start : start + batch]:
                projection.apply(item.event, item)
            projection.flush()


def database(url: str) -> sa.Engine:
    engine = open_engine(url, writer=False)
    ReadModels.metadata.create_all(engine)
    kept.create_all(engine)
    return engine


@dataclass
class FakeBackend:
    """Answers commands by `answers`, else with yes, and keeps them in `sent`; `asked` are the logs to catch up with.
    `then` folds events for a command, unless the read models are behind.
    """

    settings: Settings
    clock: Clock
    ids: Ids
    secrets: Secrets
    reads: sa.Engine
    logs: Logs = field(default_factory=Logs)
    sent: list[CommandMessage] = field(default_factory=list)
    answers: dict[type[Command], Answer] = field(default_factory=dict)
    then: dict[type[Command], Callable[[Any], Sequence[Event]]] = field(default_factory=dict)
    log: list[RecordedEvent] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    marks: ReadModelProgress = field(default_factory=ReadModelProgress)
    lag: int = 0
    is_behind: bool = False
    parked: int = 0
    diverged: list[str] = field(default_factory=list)
    halted: str = ""
    held: list[str] = field(default_factory=list)
    unknown: dict[str, dict[str, int]] = field(default_factory=dict)

    def happen(self, *events: Event, actor: str = "system:test") -> None:
        recorded = [self.logs.record(event, actor) for event in events]
        self.log.extend(recorded)
        if not self.is_behind:
            fold(self.reads, recorded)
            self.marks.reached({item.source: item.position for item in recorded})

    async def send(self, service: str, message: CommandMessage) -> Reply:
        assert service == message.command.owner
        self.sent.append(message)
        answer = self.answers.get(type(message.command)) or Reply("accepted", service, 1)
        if isinstance(answer, Exception):
            raise answer
        if answer.outcome == "accepted" and not (answer.repeated or answer.answer.get("repeated")):
            follow = self.then.get(type(message.command), lambda command: ())
            self.happen(*follow(message.command), actor=message.meta.actor)
        return answer

    async def wait_for_position(self, source: str, position: int) -> bool:
        return not self.is_behind

    async def caught_up(self, source: str) -> bool:
        self.asked.append(source)
        return not self.is_behind

    @property
    def revision(self) -> int:
        return self.marks.revision

    async def wait_for_change(self, since: int, seconds: float) -> bool:
        return await self.marks.wait_for_change(since, seconds)

    async def pull(self, source: str, after: int, limit: int) -> EventBatch:
        events = [item for item in self.log if item.source == source and item.position > after][:limit]
        before = b"hash" if any((item.source, item.position) == (source, after) for item in self.log) else b""
        return EventBatch(source, after + 1, events[-1].position if events else after, events, before)

    def health(self) -> Mapping[str, ServiceHealth]:
        return {
            "order": ServiceHealth(
                head=7,
                lag={"risk": self.lag},
                parked=self.parked,
                agenda_waiting=2,
                agenda_failed=0,
                diverged=self.diverged,
                halted=self.halted,
                held=self.held,
                unknown=self.unknown,
            )
        }

    @property
    def last(self) -> Any:
        return self.sent[-1].command


@dataclass
class ManualClock:
    now: datetime = NOW + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Client:
    """Asks an application as one far away would, and holds every answer against its OpenAPI document."""

    app: Any
    address: str = "192.0.2.7"
    contract: Contract = OF_THE_API

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, **how))

    async def _request(self, method: str, path: str, **how: Any) -> httpx.Response:
        routed = Routed(self.app)
        transport = httpx.ASGITransport(routed, raise_app_exceptions=False, client=(self.address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            answer = await client.request(method, path, **how)
        self.contract.check(self.app, routed.route, answer)
        return answer

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self.request("GET", path, **how)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self.request("POST", path, **how)


@dataclass
class Shop:
    """An application over a fake backend, with a client and tokens for it."""

    backend: FakeBackend
    clock: ManualClock
    client: Client
    credentials: Credentials

    def token(self, principal: Principal) -> dict[str, str]:
        token, _ = issue(self.backend.secrets.get("tokens"), principal, self.clock.now)
        return {"Authorization": f"Bearer {token}"}

    def staff(self, role: Role) -> dict[str, str]:
        """A member of staff of this role, added when new."""
        username = f"{role}-1"
        with self.backend.reads.connect() as connection:
            known = connection.execute(sa.text("SELECT 1 FROM staff WHERE username = :u"), {"u": username}).first()
        if not known:
            self.backend.happen(StaffAdded(username=username, role=role))
        return self.token(Principal("staff", username, role))

    def customer(self, customer: str = "c1") -> dict[str, str]:
        return self.token(Principal("customer", customer))


_ROUTES: list[BaseRoute] = []


def app_of(backend: Backend) -> FastAPI:
    """An application with the routes of the first one here: to make them ready takes longer than most tests."""
    app = create_app(backend)
    if not _ROUTES:
        _ROUTES.extend(app.router.routes)
    app.router.routes[:] = _ROUTES
    return app


def open_shop(folder: Path, url: str | None = None) -> Shop:
    clock = ManualClock()
    settings = Settings(
        var=folder,
        channels={"alipay": ChannelSettings(url="http://channel.invalid")},
        suppliers={"north": SupplierSettings(url="http://supplier.invalid")},
    )
    reads = database(url or f"sqlite:///{folder}/gateway.db")
    backend = FakeBackend(settings, Clock(clock), Ids(clock), Secrets(folder / "secrets"), reads)
    app = app_of(backend)
    credentials = Credentials(backend.reads)
    credentials.create()
    return Shop(backend, clock, Client(app), credentials)


def orders_follow(shop: Shop) -> None:
    """Has every accepted PlaceOrder followed by its OrderPlaced."""

    def follow(command: Any) -> Sequence[Event]:
        assert command.buyer_key == buyer_key(shop.backend.secrets, command.order_id)
        wished = tuple(line(number, wish.sku, wish.quantity) for number, wish in enumerate(command.wishes, 1))
        return [placed(command.order_id, command.customer, lines=wished, payment=command.payment)]

    shop.backend.then[PlaceOrder] = follow
