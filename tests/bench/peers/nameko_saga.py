"""The saga with stock nameko: `@rpc`, `@event_handler`, `EventDispatcher`, one PostgreSQL transaction a message.

Each handler appends its event to its service's log, moves its row, commits, and then dispatches. Connections are
pooled; nothing else stands between nameko and the database. `DATABASES` is a conninfo with ANY_SERVICE for a
service's name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import uuid4

import psycopg
from eventlet.pools import Pool
from nameko.events import EventDispatcher, event_handler
from nameko.extensions import DependencyProvider
from nameko.rpc import RpcProxy, rpc
from nameko.web.handlers import http
from psycopg.types.json import Jsonb
from werkzeug.wrappers import Request

from tests.bench.peers.flow import ANSWERS, ANY_SERVICE, JOINED, OWNER

APPEND = "insert into log(stream, version, type, data, meta) values (%s, %s, %s, %s, %s)"
MOVE = """
insert into state(id, version, status, answers) values (%s, 1, %s, %s)
on conflict (id) do update set version = state.version + 1, status = excluded.status,
    answers = state.answers + excluded.answers
returning version, answers
"""
POOL = 20
Order = dict[str, Any]


class Store(DependencyProvider):
    """One service's database: `append` and `move` inside `transaction`."""

    def __init__(self, service: str) -> None:
        self.service = service

    def setup(self) -> None:
        conninfo = os.environ["DATABASES"].replace(ANY_SERVICE, self.service)
        self.pool = Pool(max_size=POOL, create=lambda: psycopg.connect(conninfo))

    def get_dependency(self, worker_ctx: object) -> Store:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        with self.pool.item() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor

    def append(self, order: Order, event: str) -> None:
        """One event and the order's row, in one transaction."""
        with self.transaction() as cursor:
            self.move(cursor, order, event)

    def move(self, cursor: psycopg.Cursor[Any], order: Order, event: str, answers: int = 0) -> int:
        """Inside a transaction: one event and the order's row. Returns how many answers it has."""
        cursor.execute(MOVE, (order["order_id"], event, answers))
        version, answered = cursor.fetchone() or (0, 0)
        meta = Jsonb({"correlation_id": order["order_id"], "actor": order["customer"]})
        cursor.execute(APPEND, (order["order_id"], version, event, Jsonb(order), meta))
        return answered


class OrderService:
    name = "order"
    dispatch, store = cast(Any, EventDispatcher()), Store("order")

    @rpc
    def place(self, order: Order) -> str:
        self.store.append(order, "OrderPlaced")
        self.dispatch("OrderPlaced", order)
        return order["order_id"]

    @event_handler("risk", "OrderScreened")
    def screened(self, order: Order) -> None:
        self._answered(order, "ScreeningRecorded")

    @event_handler("inventory", "KeysReserved")
    def reserved(self, order: Order) -> None:
        self._answered(order, "ReservationRecorded")

    @event_handler("ledger", "FundsHeld")
    def held(self, order: Order) -> None:
        self._answered(order, "PaymentRecorded")

    def _answered(self, order: Order, event: str) -> None:
        with self.store.transaction() as cursor:
            confirmed = self.store.move(cursor, order, event, answers=1) == len(ANSWERS)
            if confirmed:
                self.store.move(cursor, order, JOINED)
        if confirmed:
            self.dispatch(JOINED, order)

    @event_handler("fulfillment", "KeysDelivered")
    def delivered(self, order: Order) -> None:
        self.store.append(order, "OrderCompleted")
        self.dispatch("OrderCompleted", order)


class RiskService:
    name = "risk"
    dispatch, store = cast(Any, EventDispatcher()), Store("risk")

    @event_handler("order", "OrderPlaced")
    def placed(self, order: Order) -> None:
        self.store.append(order, "OrderScreened")
        self.dispatch("OrderScreened", order)


class InventoryService:
    name = "inventory"
    dispatch, store = cast(Any, EventDispatcher()), Store("inventory")

    @event_handler("order", "OrderPlaced")
    def placed(self, order: Order) -> None:
        self.store.append(order, "KeysReserved")
        self.dispatch("KeysReserved", order)

    @event_handler("fulfillment", "KeysDelivered")
    def delivered(self, order: Order) -> None:
        self.store.append(order, "ReservationSettled")
        self.dispatch("ReservationSettled", order)


class LedgerService:
    name = "ledger"
    dispatch, store = cast(Any, EventDispatcher()), Store("ledger")

    @event_handler("order", "OrderPlaced")
    def placed(self, order: Order) -> None:
        self.store.append(order, "FundsHeld")
        self.dispatch("FundsHeld", order)

    @event_handler("fulfillment", "KeysDelivered")
    def delivered(self, order: Order) -> None:
        self.store.append(order, "FundsCaptured")
        self.dispatch("FundsCaptured", order)


class FulfillmentService:
    name = "fulfillment"
    dispatch, store = cast(Any, EventDispatcher()), Store("fulfillment")

    @event_handler("order", "OrderConfirmed")
    def confirmed(self, order: Order) -> None:
        delivered = {**order, "key": uuid4().hex}
        self.store.append(delivered, "KeysDelivered")
        self.dispatch("KeysDelivered", delivered)


class NotificationService:
    name = "notification"
    dispatch, store = cast(Any, EventDispatcher()), Store("notification")

    @event_handler("order", "OrderCompleted")
    def completed(self, order: Order) -> None:
        self.store.append(order, "BuyerNotified")
        self.dispatch("BuyerNotified", order)


SHOW = """
insert into shown(id, status, key, events) values (%s, %s, %s, 1)
on conflict (id) do update set status = excluded.status, key = coalesce(excluded.key, shown.key),
    events = shown.events + 1
"""


def _shows(event: str) -> Any:
    def show(self: Any, order: Order) -> None:
        with self.store.transaction() as cursor:
            cursor.execute(SHOW, (order["order_id"], event, order.get("key")))

    show.__name__ = f"show_{event}"
    return event_handler(OWNER[event], event)(show)


class GatewayService:
    """The read side: one row an order, moved by every event."""

    name = "gateway"
    store = Store("gateway")


for _event in OWNER:
    setattr(GatewayService, f"show_{_event}", _shows(_event))


class WebService:
    """The API: the same questions as the platform's."""

    name = "web"
    orders, store = cast(Any, RpcProxy("order")), Store("gateway")

    @http("POST", "/v1/orders")
    def place(self, request: Request) -> tuple[int, str]:
        body = json.loads(request.get_data())
        customer = request.headers["Authorization"].removeprefix("Bearer ")
        order = {"order_id": str(uuid4()), "customer": customer, "total": 10, "currency": "CNY", **body}
        return 201, json.dumps({"order_id": self.orders.place(order)})

    @http("GET", "/v1/orders/<order_id>")
    def one(self, request: Request, order_id: str) -> tuple[int, str]:
        status = "waiting" if self._key(order_id) is None else "delivered"
        return 200, json.dumps({"order_id": order_id, "status": status, "lines": [{"line": 1, "status": status}]})

    @http("GET", "/v1/orders/<order_id>/deliveries")
    def deliveries(self, request: Request, order_id: str) -> tuple[int, str]:
        key = self._key(order_id)
        return 200, json.dumps({"items": [{"line": 1, "keys": [{"number": 1, "key": key}]}] if key else []})

    def _key(self, order_id: str) -> str | None:
        with self.store.transaction() as cursor:
            row = cursor.execute("select key from shown where id = %s", (order_id,)).fetchone()
            return row[0] if row else None
