"""What the read models tell Prometheus: how the business stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, get_args

import sqlalchemy as sa

from services.gateway.tables.deliveries import HANDED_OVER, deliveries
from services.gateway.tables.orders import orders
from services.gateway.tables.payments import NOT_CLOSED, payments
from services.gateway.tables.products import expired, products
from services.gateway.tables.risk import risk_cases
from services.gateway.tables.unmatched import OPEN, unmatched
from services.gateway.tables.unread import unread
from shared.contracts import Money
from shared.contracts.gateway import PartnerKind
from shared.runtime.settings import Settings
from shared.telemetry import metrics
from shared.telemetry.metric import Sample, seconds_since
from shared.values.days import day_of

MOST = 100_000
STEPS = ("payment", "answers", "review", "delivery")
CURRENCY = Money.model_fields["currency"].default

# Orders that have not ended are found by the index on their status, and never more of them than `MOST`.
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
    deliveries.c.status == HANDED_OVER
)
_UNMATCHED = sa.select(sa.func.count(), sa.func.min(unmatched.c.opened_at)).where(unmatched.c.status == OPEN)
_FAILED_RETURNS = sa.select(payments.c.returns).where(payments.c.failed_returns > 0).limit(MOST)
_NOT_CLOSED = sa.select(sa.func.count(), sa.func.min(payments.c.closing_since)).where(payments.c.closing == NOT_CLOSED)
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


def figures(connection: sa.Connection, now: datetime, settings: Settings) -> Iterator[Sample]:
    """Open orders by step, stock, and what waits for people."""
    yield from _orders(connection, now)
    stock = connection.execute(_stock(day_of(now, settings.shop().zone))).mappings().one()
    yield metrics.PRODUCTS_ON_SALE, (), stock["on_sale"]
    yield metrics.PRODUCTS_LOW, (), stock["low"]
    yield metrics.PRODUCTS_SOLD_OUT, (), stock["sold_out"]
    for state in STATES:
        yield metrics.KEYS, (state,), int(stock[state])
    lines, since = connection.execute(_HANDED_OVER).one()
    yield metrics.HANDED_OVER, (), lines
    yield metrics.HANDED_OVER_OLDEST_SECONDS, (), seconds_since(since, now)
    cases, since = connection.execute(_CASES).one()
    yield metrics.CASES_OPEN, (), cases
    yield metrics.CASES_OLDEST_SECONDS, (), seconds_since(since, now)
    yield from _payments(connection, now)
    yield from _unread(connection, now)


def _payments(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    items, since = connection.execute(_UNMATCHED).one()
    yield metrics.UNMATCHED_OPEN, (), items
    yield metrics.UNMATCHED_OLDEST_SECONDS, (), seconds_since(since, now)
    rows = connection.execute(_FAILED_RETURNS).scalars()
    failed = [part["at"] for returns in rows for part in returns.values() if part["status"] == "failed"]
    yield metrics.RETURNS_FAILED, (), len(failed)
    yield metrics.RETURNS_FAILED_OLDEST_SECONDS, (), seconds_since(min(failed, default=None), now)
    links, since = connection.execute(_NOT_CLOSED).one()
    yield metrics.NOT_CLOSED, (), links
    yield metrics.NOT_CLOSED_OLDEST_SECONDS, (), seconds_since(since, now)


def _unread(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    waiting = {kind: (count, since) for kind, count, since in connection.execute(_UNREAD)}
    for kind in get_args(PartnerKind):
        count, since = waiting.get(kind, (0, None))
        yield metrics.UNREAD, (kind,), count
        yield metrics.UNREAD_OLDEST_SECONDS, (kind,), seconds_since(since, now)


def _orders(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    counts, oldest, holds = dict.fromkeys(STEPS, 0), dict.fromkeys(STEPS, 0.0), defaultdict(int, {CURRENCY: 0})
    for step, currency, count, since in connection.execute(_BY_STEP):
        counts[step] += count
        oldest[step] = max(oldest[step], seconds_since(since, now))
        if step != "payment":
            holds[currency] += count
    for step in STEPS:
        yield metrics.ORDERS_OPEN, (step,), counts[step]
        yield metrics.ORDER_OLDEST_SECONDS, (step,), oldest[step]
    for currency, count in holds.items():
        yield metrics.HOLDS, (currency,), count
