"""What the read models tell Prometheus: how the business stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from services.gateway.tables.deliveries import HANDED_OVER, deliveries
from services.gateway.tables.orders import orders
from services.gateway.tables.products import products
from services.gateway.tables.risk import risk_cases
from shared.contracts import Money
from shared.hosting.settings import Settings
from shared.telemetry import metrics
from shared.telemetry.metric import Figure, seconds_since

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
STATES = ("available", "reserved", "sold", "faulted")
_STOCK = sa.select(
    sa.func.count().filter(products.c.on_sale).label("on_sale"),
    sa.func.count().filter(_STOCKED, products.c.available <= products.c.low_stock_threshold).label("low"),
    sa.func.count().filter(_STOCKED, products.c.available == 0).label("sold_out"),
    *(sa.func.coalesce(sa.func.sum(products.c[state]), 0).label(state) for state in STATES),
)
_HANDED_OVER = sa.select(sa.func.count(), sa.func.min(deliveries.c.handed_over_at)).where(
    deliveries.c.status == HANDED_OVER
)
_CASES = sa.select(sa.func.count(), sa.func.min(risk_cases.c.screened_at)).where(risk_cases.c.status == "open")


def figures(connection: sa.Connection, now: datetime, settings: Settings) -> Iterator[Figure]:
    """Open orders by step, stock, and what waits for people."""
    yield from _orders(connection, now)
    stock = connection.execute(_STOCK).mappings().one()
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


def _orders(connection: sa.Connection, now: datetime) -> Iterator[Figure]:
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
