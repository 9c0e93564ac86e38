"""Prometheus metrics of the gateway: the state of the business, requests, webhooks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, get_args

import sqlalchemy as sa

from services.gateway.callbacks.projection import unread
from services.gateway.deliveries.projection import HANDED_OVER as IS_HANDED_OVER
from services.gateway.deliveries.projection import deliveries
from services.gateway.orders.projection import orders
from services.gateway.payments.projection import NOT_CLOSED as IS_NOT_CLOSED
from services.gateway.payments.projection import payments
from services.gateway.products.projection import expired, products
from services.gateway.risk.projection import risk_cases
from services.gateway.unmatched.projection import OPEN, unmatched
from shared.contracts import Money
from shared.contracts.gateway import PartnerKind
from shared.runtime.settings import Settings
from shared.telemetry.metric import Sample, Section, seconds_since
from shared.values.days import day_of

QUICK = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

# The writer queries these at each scrape.
ORDERS_STANDING = Section("Business: current state")
ORDERS_OPEN = ORDERS_STANDING.metric(
    "orders_open",
    "gauge",
    "orders",
    "step",
    "Orders that have not ended, by what they wait for: payment, answers, review, delivery. Counted up to 100,000.",
)
ORDER_OLDEST_SECONDS = ORDERS_STANDING.metric(
    "order_oldest_seconds", "gauge", "seconds", "step", "How long the oldest open order has waited at this step."
)
HOLDS = ORDERS_STANDING.metric("holds", "gauge", "orders", "currency", "Orders that are paid and have not ended.")
STANDING = Section("Business: current state")
PRODUCTS_ON_SALE = STANDING.metric("products_on_sale", "gauge", "products", "", "Products on sale.")
PRODUCTS_LOW = STANDING.metric(
    "products_low_stock", "gauge", "products", "", "Products on sale from stock, at or below their threshold."
)
PRODUCTS_SOLD_OUT = STANDING.metric(
    "products_sold_out", "gauge", "products", "", "Products on sale from stock, with no key left."
)
KEYS = STANDING.metric(
    "keys", "gauge", "keys", "state", "Card keys: available, reserved, sold, faulted, withdrawn, expired."
)
HANDED_OVER = STANDING.metric("deliveries_handed_over", "gauge", "lines", "", "Order lines that a person must deliver.")
HANDED_OVER_OLDEST_SECONDS = STANDING.metric(
    "deliveries_handed_over_oldest_seconds", "gauge", "seconds", "", "How long the oldest of these lines has waited."
)
CASES_OPEN = STANDING.metric("risk_cases_open", "gauge", "orders", "", "Orders that wait for a person's review.")
CASES_OLDEST_SECONDS = STANDING.metric(
    "risk_cases_oldest_seconds", "gauge", "seconds", "", "How long the oldest of these orders has waited."
)
UNMATCHED_OPEN = STANDING.metric(
    "payments_unmatched", "gauge", "items", "", "Items that wait for a person: reported money that matches no payment."
)
UNMATCHED_OLDEST_SECONDS = STANDING.metric(
    "payments_unmatched_oldest_seconds", "gauge", "seconds", "", "How long the oldest of these items has waited."
)
RETURNS_FAILED = STANDING.metric("returns_failed", "gauge", "returns", "", "Failed returns that nobody has paid since.")
RETURNS_FAILED_OLDEST_SECONDS = STANDING.metric(
    "returns_failed_oldest_seconds", "gauge", "seconds", "", "How long the oldest of these returns has waited."
)
NOT_CLOSED = STANDING.metric(
    "payments_not_closed", "gauge", "payments", "", "Payments no longer needed that their channel did not close."
)
NOT_CLOSED_OLDEST_SECONDS = STANDING.metric(
    "payments_not_closed_oldest_seconds", "gauge", "seconds", "", "How long the oldest of these payments has waited."
)
UNREAD = STANDING.metric(
    "statements_unread", "gauge", "statements", "kind", "Open signed statements of partners that can't be read."
)
UNREAD_OLDEST_SECONDS = STANDING.metric(
    "statements_unread_oldest_seconds",
    "gauge",
    "seconds",
    "kind",
    "How long the oldest of these statements has waited.",
)

HTTP = Section("Gateway, over HTTP")
HTTP_REQUESTS = HTTP.metric(
    "http_requests_total", "counter", "requests", "method route status", "HTTP requests answered."
)
HTTP_SECONDS = HTTP.metric(
    "http_request_seconds", "histogram", "seconds", "method route", "Time to answer HTTP requests.", QUICK
)

# Metrics of `kameng serve` and `kameng webhooks`. Only the latter has `leads`.
WEBHOOKS = Section("Webhooks")
WEBHOOK_DELIVERED = WEBHOOKS.metric("webhook_delivered_total", "counter", "events", "service", "Events delivered.")
WEBHOOK_FAILURES = WEBHOOKS.metric("webhook_failures_total", "counter", "attempts", "service", "Attempts that failed.")
WEBHOOK_GIVEN_UP = WEBHOOKS.metric(
    "webhook_given_up_total", "counter", "events", "service", "Events given up after three days of attempts."
)
WEBHOOK_DISABLINGS = WEBHOOKS.metric(
    "webhook_disablings_total", "counter", "endpoints", "service", "Endpoints disabled because they failed."
)
WEBHOOK_ENDPOINTS = WEBHOOKS.metric("webhook_endpoints", "gauge", "endpoints", "service", "Endpoints that are enabled.")
WEBHOOK_DISABLED = WEBHOOKS.metric("webhook_disabled", "gauge", "endpoints", "service", "Endpoints that are disabled.")
WEBHOOK_DOWN = WEBHOOKS.metric("webhook_down", "gauge", "endpoints", "service", "Enabled endpoints that only fail.")
WEBHOOK_BEHIND = WEBHOOKS.metric(
    "webhook_behind", "gauge", "events", "service", "Events not yet dispatched to enabled endpoints."
)
WEBHOOK_WAITING = WEBHOOKS.metric(
    "webhook_waiting", "gauge", "deliveries", "service", "Failed deliveries that wait for another attempt."
)
WEBHOOK_OLDEST_SECONDS = WEBHOOKS.metric(
    "webhook_oldest_seconds", "gauge", "seconds", "service", "How long the oldest of these deliveries has waited."
)
WEBHOOK_HELD = WEBHOOKS.metric(
    "webhook_held", "gauge", "lanes", "service", "Lanes that can't go on, such as at an event newer than this code."
)
WEBHOOK_LEADS = WEBHOOKS.metric("webhook_leads", "gauge", "0 or 1", "service", "Whether this process delivers.")


MOST = 100_000
STEPS = ("payment", "answers", "review", "delivery")
CURRENCY = Money.model_fields["currency"].default

# The index on the status finds orders that have not ended. At most `MOST` are counted.
_OPEN = (
    sa.select(
        sa.case(
            (orders.c.status == "placed", "payment"),
            (orders.c.status == "delivering", "delivery"),
            (orders.c.screening == "review", "review"),
            else_="answers",
        ).label("step"),
        sa.case(
            (orders.c.status == "placed", orders.c.placed_at),
            (orders.c.status == "delivering", orders.c.confirmed_at),
            else_=orders.c.paid_at,
        ).label("since"),
        orders.c.currency,
    )
    .where(orders.c.status.in_(("placed", "paid", "delivering")))
    .limit(MOST)
    .subquery("unended")
)
_BY_STEP = sa.select(_OPEN.c.step, _OPEN.c.currency, sa.func.count(), sa.func.min(_OPEN.c.since)).group_by(
    _OPEN.c.step, _OPEN.c.currency
)
_STOCKED = sa.and_(products.c.on_sale, products.c.source == "keys")
STATES = ("available", "reserved", "sold", "faulted", "withdrawn", "expired")
_HANDED_OVER = sa.select(sa.func.count(), sa.func.min(deliveries.c.handed_over_at)).where(
    deliveries.c.status == IS_HANDED_OVER
)
_UNMATCHED = sa.select(sa.func.count(), sa.func.min(unmatched.c.opened_at)).where(unmatched.c.status == OPEN)
_FAILED_RETURNS = sa.select(payments.c.returns).where(payments.c.failed_returns > 0).limit(MOST)
_NOT_CLOSED = sa.select(sa.func.count(), sa.func.min(payments.c.closing_since)).where(
    payments.c.closing == IS_NOT_CLOSED
)
_UNREAD = (
    sa.select(unread.c.kind, sa.func.count(), sa.func.min(unread.c.told_at))
    .where(unread.c.status == OPEN)
    .group_by(unread.c.kind)
)
_CASES = sa.select(sa.func.count(), sa.func.min(risk_cases.c.screened_at)).where(risk_cases.c.status == "open")


def _stock(today: date) -> sa.Select[*tuple[Any, ...]]:
    over = expired(today)
    gone = sa.func.coalesce(over.c.expired, 0)
    left = products.c.available - gone
    counted = {"available": left, **{state: products.c[state] for state in STATES[1:5]}, "expired": gone}
    return sa.select(
        sa.func.count().filter(products.c.on_sale).label("on_sale"),
        sa.func.count().filter(_STOCKED, left <= products.c.low_stock_threshold).label("low"),
        sa.func.count().filter(_STOCKED, left == 0).label("sold_out"),
        *(sa.func.coalesce(sa.func.sum(keys), 0).label(state) for state, keys in counted.items()),
    ).select_from(products.outerjoin(over, over.c.sku == products.c.sku))


def gauges(connection: sa.Connection, now: datetime, settings: Settings) -> Iterator[Sample]:
    """Open orders by step, stock, and work that waits for people."""
    yield from _orders(connection, now)
    stock = connection.execute(_stock(day_of(now, settings.shop().zone))).mappings().one()
    yield PRODUCTS_ON_SALE, (), stock["on_sale"]
    yield PRODUCTS_LOW, (), stock["low"]
    yield PRODUCTS_SOLD_OUT, (), stock["sold_out"]
    for state in STATES:
        yield KEYS, (state,), int(stock[state])
    lines, since = connection.execute(_HANDED_OVER).one()
    yield HANDED_OVER, (), lines
    yield HANDED_OVER_OLDEST_SECONDS, (), seconds_since(since, now)
    cases, since = connection.execute(_CASES).one()
    yield CASES_OPEN, (), cases
    yield CASES_OLDEST_SECONDS, (), seconds_since(since, now)
    yield from _payments(connection, now)
    yield from _unread(connection, now)


def _payments(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    items, since = connection.execute(_UNMATCHED).one()
    yield UNMATCHED_OPEN, (), items
    yield UNMATCHED_OLDEST_SECONDS, (), seconds_since(since, now)
    rows = connection.execute(_FAILED_RETURNS).scalars()
    failed = [part["at"] for returns in rows for part in returns.values() if part["status"] == "failed"]
    yield RETURNS_FAILED, (), len(failed)
    yield RETURNS_FAILED_OLDEST_SECONDS, (), seconds_since(min(failed, default=None), now)
    links, since = connection.execute(_NOT_CLOSED).one()
    yield NOT_CLOSED, (), links
    yield NOT_CLOSED_OLDEST_SECONDS, (), seconds_since(since, now)


def _unread(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    waiting = {kind: (count, since) for kind, count, since in connection.execute(_UNREAD)}
    for kind in get_args(PartnerKind):
        count, since = waiting.get(kind, (0, None))
        yield UNREAD, (kind,), count
        yield UNREAD_OLDEST_SECONDS, (kind,), seconds_since(since, now)


def _orders(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    counts, oldest, holds = dict.fromkeys(STEPS, 0), dict.fromkeys(STEPS, 0.0), defaultdict(int, {CURRENCY: 0})
    for step, currency, count, since in connection.execute(_BY_STEP):
        counts[step] += count
        oldest[step] = max(oldest[step], seconds_since(since, now))
        if step != "payment":
            holds[currency] += count
    for step in STEPS:
        yield ORDERS_OPEN, (step,), counts[step]
        yield ORDER_OLDEST_SECONDS, (step,), oldest[step]
    for currency, count in holds.items():
        yield HOLDS, (currency,), count
