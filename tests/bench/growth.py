"""Whether it slows down as it grows: the same sagas and appends on a short history and on a long one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from deploy.local.infrastructure import Infrastructure
from services import all_services
from shared.contracts.inventory import KeysLoaded, ProductListed
from shared.eventstore import log, log_reader, schema
from shared.eventstore.engines import open_engine
from shared.eventstore.recorded import RecordedEvent
from shared.projections.replay import fold
from tests.bench.generated import extend
from tests.bench.goods import CARD, ORDER, card, loading
from tests.bench.market import Market
from tests.bench.measures import Row, Section, median
from tests.bench.processes import new_database
from tests.bench.rebuild import renamed
from tests.bench.shop import resident_bytes

SMALL_EVENTS, SMALL_SKUS = 10_000, 1_000
APPENDS, AT_ONCE = 20, 2
PATTERN_ORDERS, PATTERN_SKUS, KEYS_EACH = 50, 15, 14
OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """Events in the log of orders, and products in stock, each with KEYS_EACH keys."""

    events: int
    skus: int


def measure(servers: Infrastructure, var: Path, rounds: int, orders: int, large: Size, progress: OnProgress) -> Section:
    """Two markets side by side, a small one and a large one, which sell in turns."""
    sizes = {"small": Size(min(SMALL_EVENTS, large.events), min(SMALL_SKUS, large.skus)), "large": large}
    rates: dict[str, list[float]] = {name: [] for name in sizes}
    with (
        Market(servers, "small", var / "small", skus=PATTERN_SKUS, keys_each=KEYS_EACH) as small,
        Market(servers, "large", var / "large", skus=PATTERN_SKUS, keys_each=KEYS_EACH) as large_one,
    ):
        markets = {"small": small, "large": large_one}
        rows = [_grown(servers, name, markets[name], size, progress) for name, size in sizes.items()]
        enough = KEYS_EACH + 2 + orders * (rounds + 1) // PATTERN_SKUS
        for market in markets.values():
            for sku in map(card, range(PATTERN_SKUS)):
                market.place([loading(sku, range(KEYS_EACH, KEYS_EACH + enough), market.secrets, market.ids)])
        for number in range(rounds + 1):
            for name, market in markets.items():
                progress(f"selling in the {name} market: round {number} of {rounds}")
                rate = market.sell(orders)
                if number:
                    rates[name].append(rate)
    for row, name in zip(rows, sizes, strict=True):
        row["orders/s"] = round(median(rates[name]), 1)
        row["of small"] = f"{median(rates[name]) / median(rates['small']):.2f}"
    rows.append({"market": f"peak MB of this process: {resident_bytes(os.getpid())[1] / 1e6:.0f}"})
    return Section("Growth", rows, "All writers in one process on PostgreSQL, no broker, no HTTP.")


def _grown(servers: Infrastructure, name: str, market: Market, size: Size, progress: OnProgress) -> Row:
    """Fill a market up to a size, and measure how fast its log of orders is written and folded."""
    progress(f"growing the {name} market")
    market.sell(PATTERN_ORDERS)
    orders, products = _pattern(market, "order"), _pattern(market, "inventory")
    copies = max(1, size.events // len(orders) - 1)
    extend(market.engines["order"], orders, copies, renamed)
    _list_products(market, products, max(1, size.skus // PATTERN_SKUS - 1), progress)
    progress(f"appending to the {name} market")
    appended = _appended(market, orders, copies)
    _believe_applied(market)
    market.restart()
    progress(f"rebuilding the {name} market's orders")
    return {
        "market": name,
        "events of orders": market.heads()["order"],
        "products": PATTERN_SKUS * max(2, size.skus // PATTERN_SKUS),
        "append events/s": round(appended),
        "rebuild events/s": round(_rebuilt(servers, market)),
    }


def _pattern(market: Market, service: str) -> list[RecordedEvent]:
    """Whole orders; of inventory, products and their first keys."""
    with market.engines[service].connect() as connection:
        whole = log_reader.read(connection, service, 0, market.heads()[service], sys.maxsize)
    if service == "order":
        return [recorded for recorded in whole if ORDER in recorded.stream]
    first = {ProductListed.__name__, KeysLoaded.__name__}
    return [recorded for recorded in whole if CARD in recorded.stream and recorded.name in first]


def _list_products(market: Market, pattern: list[RecordedEvent], copies: int, progress: OnProgress) -> None:
    """Products and keys in inventory's log and in the tables of all that fold them."""
    before = market.heads()["inventory"]
    extend(market.engines["inventory"], pattern, copies, renamed)
    for service in all_services():
        if service.name in ("inventory", "order", "gateway"):
            progress(f"products for {service.name}")
            upto, after = {"inventory": market.heads()["inventory"]}, {"inventory": before}
            target = market.engines[service.name]
            fold(
                service.name,
                service.projection,
                service.foreign_event_names(),
                market.engines,
                upto,
                target,
                after=after,
            )


def _appended(market: Market, pattern: list[RecordedEvent], copies: int) -> float:
    """Events a second through `log.append`, AT_ONCE copies of the pattern a transaction."""
    engine, events = market.engines["order"], 0
    started = time.perf_counter()
    for number in range(copies, copies + APPENDS * AT_ONCE, AT_ONCE):
        with engine.begin() as connection:
            head = log.read_head(connection)
            new = [
                replace(
                    one, position=head.position + place, stream=renamed(one.stream, copy), id=f"{copy}/{one.id}",
                    data=renamed(one.data, copy), meta_json=renamed(one.meta_json, copy), at=max(head.at, one.at),
                )
                for place, (copy, one) in enumerate(
                    ((copy, one) for copy in range(number, number + AT_ONCE) for one in pattern), start=1
                )
            ]  # fmt: skip
            log.append(connection, head, new)
            events += len(new)
    return events / (time.perf_counter() - started)


def _believe_applied(market: Market) -> None:
    """What was put into the logs from outside has been heard by everybody."""
    for engine in market.engines.values():
        with engine.begin() as connection:
            for source in ("order", "inventory"):
                moved = sa.update(schema.readers).where(schema.readers.c.source == source)
                connection.execute(moved.values(position=market.heads()[source]))


def _rebuilt(servers: Infrastructure, market: Market) -> float:
    """Events a second of a full rebuild of the order service."""
    service = next(one for one in all_services() if one.name == "order")
    upto = {name: market.heads()[name] for name in ("order", *service.sources())}
    target = open_engine(new_database(servers, "bench_rebuilt"), writer=True)
    try:
        started = time.perf_counter()
        fold(service.name, service.projection, service.foreign_event_names(), market.engines, upto, target)
        return sum(upto.values()) / (time.perf_counter() - started)
    finally:
        target.dispose()
