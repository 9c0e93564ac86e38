"""One sale is one trace, through every service and out to the supplier."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from structlog.testing import capture_logs

from services.gateway.access.auth import Principal
from shared.contracts import Money
from shared.contracts.fulfillment import PurchaseReport
from shared.contracts.inventory import Listing, ListProduct
from shared.eventstore import chain_check, schema
from shared.runtime.settings import Settings, SupplierSettings
from tests.bench.goods import card, stocking
from tests.platform.embedded import EmbeddedPlatform
from tests.telemetry.builders import CALLER, TRACE, TRACEPARENT, Kept, facts, ids, kept

CUSTOMER, EMAIL, TARGET, TOP_UP = "customer-1", "ann@example.org", "13800000000", "TOP-UP"
BUYER = Principal("customer", CUSTOMER)
SERVICES = {"order", "inventory", "risk", "ledger", "fulfillment", "notification"}


class Supplier:
    """Sells everything, and keeps the trace parents it gets."""

    def __init__(self) -> None:
        self.traceparents: list[str | None] = []
        supplier = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                supplier.traceparents.append(self.headers["traceparent"])
                report = PurchaseReport(request_id=asked["request_id"], outcome="done", cost=Money(amount=5))
                body = report.model_dump_json().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Shop:
    """The whole platform in this process; `buy` is a customer's order over HTTP, to its end."""

    platform: EmbeddedPlatform
    supplier: Supplier
    lines: list[Any] = field(default_factory=list)

    def buy(self, key: str, **headers: str) -> dict[str, Any]:
        wishes = [{"sku": card(0), "quantity": 1}, {"sku": TOP_UP, "quantity": 1, "target": TARGET}]
        body, headers = {"wishes": wishes, "email": EMAIL}, {**headers, "Idempotency-Key": key}
        placed = self.platform.ask("POST", "/v1/orders", BUYER, json=body, headers=headers)
        assert placed.status_code == 201, placed.text
        path = f"/v1/orders/{placed.json()['order_id']}"
        order = self.platform.ask("GET", path, BUYER, params={"wait": 20}).json()
        assert order["status"] == "completed", order
        self.platform.settle()
        return order

    def metadata(self, order_id: str) -> dict[str, list[str]]:
        """The metadata, as stored, of all events of an order's flow, by service."""
        found = {}
        for service, engine in self.platform.host.reading.items():
            with engine.connect() as connection:
                rows = connection.execute(sa.select(schema.log.c.meta)).scalars()
                found[service] = [meta for meta in rows if json.loads(meta)["correlation_id"] == order_id]
        return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with ExitStack() as stack:
        supplier = Supplier()
        stack.callback(supplier.close)
        settings = Settings(
            var=tmp_path_factory.mktemp("traced"), suppliers={"north": SupplierSettings(url=supplier.address)}
        )
        platform = stack.enter_context(EmbeddedPlatform(settings))
        topping = Listing(
            sku=TOP_UP, name="Top-up", kind="top-up", source="supplier", price=Money(amount=10), suppliers=("north",)
        )
        listing = ListProduct(sku=TOP_UP, listing=topping)
        for command in (*stocking(1, 20, platform.secrets, platform.host.ids), listing):
            platform.send(command)
        platform.settle()
        yield Shop(platform, supplier)


@pytest.fixture(scope="module")
def sold(shop: Shop) -> tuple[dict[str, Any], Kept]:
    """An order that a caller asked for within a trace of its own."""
    with kept() as spans, capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        order = shop.buy("traced-order-0001", traceparent=TRACEPARENT)
    shop.lines = lines
    return order, spans


def test_every_service_is_in_the_callers_trace(sold: tuple[dict[str, Any], Kept]) -> None:
    _, spans = sold

    ours = [span for span in spans if ids(span)[0] == TRACE]
    assert {facts(span).get("kameng.service") for span in ours} >= SERVICES
    assert {
        "POST /v1/orders", "send PlaceOrder.v1", "order PlaceOrder", "risk ScreenOrder", "inventory ReserveStock",
        "ledger HoldFunds", "order RecordScreening", "order RecordReservation", "order RecordPayment",
        "fulfillment TakeKeys", "fulfillment purchase", "order RecordDelivery", "ledger CaptureHold",
        "inventory SettleStock", "notification SendMessage", "notification send", "notification RecordSending",
    } <= {span.name for span in ours}  # fmt: skip


def test_every_span_but_the_first_has_its_parent_in_the_trace(sold: tuple[dict[str, Any], Kept]) -> None:
    _, spans = sold

    ours = {ids(span)[1]: span for span in spans if ids(span)[0] == TRACE}
    assert {ids(span)[2] for span in ours.values()} - ours.keys() == {CALLER}
    assert ids(spans.named("POST /v1/orders"))[2] == CALLER
    parents = {span.name: ours[parent].name for span in ours.values() if (parent := str(ids(span)[2])) in ours}
    assert parents["order PlaceOrder"] == "send PlaceOrder.v1"
    assert parents["risk ScreenOrder"] == "order PlaceOrder"
    assert parents["order RecordScreening"] == "risk ScreenOrder"
    assert parents["notification RecordSending"] == "notification send"


def test_a_span_says_what_came_of_it(sold: tuple[dict[str, Any], Kept]) -> None:
    order, spans = sold

    decided = facts(spans.named("order PlaceOrder"))
    assert decided["kameng.stream"] == f"order-{order['order_id']}"
    assert decided["kameng.order_id"] == decided["kameng.correlation_id"] == order["order_id"]
    assert (decided["kameng.outcome"], decided["kameng.events"]) == ("accepted", 1)
    request = facts(spans.named("POST /v1/orders"))
    assert (request["http.route"], request["http.response.status_code"]) == ("/v1/orders", 201)
    assert all(span.status.is_ok or span.status.is_unset for span in spans)


def test_the_logs_carry_the_trace_and_their_chains_hold(shop: Shop, sold: tuple[dict[str, Any], Kept]) -> None:
    order, spans = sold

    known = {ids(span)[1] for span in spans}
    for service, metas in shop.metadata(order["order_id"]).items():
        for meta in metas:
            _, trace, span, flags = json.loads(meta)["traceparent"].split("-")
            assert (trace, span in known) == (TRACE, True), service
            assert int(flags, 16) & 1
        assert chain_check.check_chain(shop.platform.host.reading[service]) is None
    assert shop.metadata(order["order_id"]).keys() > SERVICES


def test_the_supplier_gets_the_trace_of_the_call_that_asks_it(shop: Shop, sold: tuple[dict[str, Any], Kept]) -> None:
    _, spans = sold

    (traceparent,) = shop.supplier.traceparents
    assert str(traceparent).split("-")[1:3] == [TRACE, ids(spans.named("fulfillment purchase"))[1]]


def test_spans_name_no_people(sold: tuple[dict[str, Any], Kept]) -> None:
    _, spans = sold

    everything = " ".join(span.to_json() for span in spans)
    for secret in (CUSTOMER, EMAIL, TARGET, "Bearer", f"{0:016d}"):
        assert secret not in everything


def test_lines_lead_to_the_order_and_to_the_trace(shop: Shop, sold: tuple[dict[str, Any], Kept]) -> None:
    order, spans = sold

    request = next(line for line in shop.lines if line["event"] == "request" and line["method"] == "POST")
    assert (request["correlation_id"], request["order_id"]) == (order["order_id"], order["order_id"])
    assert (request["trace_id"], request["span_id"]) == ids(spans.named("POST /v1/orders"))[:2]
    message = next(line for line in shop.lines if line["event"] == "message" and line["order_id"] == order["order_id"])
    assert (message["correlation_id"], message["service"]) == (order["order_id"], "notification")
    assert (message["trace_id"], message["span_id"]) == ids(spans.named("notification send"))[:2]


def test_without_traces_the_logs_are_as_they_were(shop: Shop) -> None:
    order = shop.buy("untraced-order-001", traceparent=TRACEPARENT)

    for meta in chain.from_iterable(shop.metadata(order["order_id"]).values()):
        fields = json.loads(meta)
        assert list(fields) == ["site", "correlation_id", "causation_id", "actor"]
        assert meta == json.dumps(fields, separators=(",", ":"))
    assert shop.supplier.traceparents[-1] is None
