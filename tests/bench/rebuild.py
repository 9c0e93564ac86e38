"""Events a second of a full rebuild of each service, from logs of orders."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import sqlalchemy as sa

from deploy.local.infrastructure import Infrastructure
from services import all_services
from shared.eventstore import log, log_reader
from shared.eventstore.engines import open_engine
from shared.projections.replay import fold
from shared.runtime.service import Service
from tests.bench.generated import extend
from tests.bench.goods import CARD, ORDER
from tests.bench.market import Market
from tests.bench.measures import Row, Section, median
from tests.bench.processes import new_database

PATTERN = 50


def measure(servers: Infrastructure, var: Path, rounds: int, orders: int, progress: Callable[[str], None]) -> Section:
    """Each service's rebuild, from logs of so many orders."""
    with Market(servers, "rebuild", var / "rebuild", skus=5, keys_each=PATTERN) as market:
        progress(f"selling {PATTERN} orders")
        market.sell(PATTERN)
        lengthen(market, orders // PATTERN, progress)
        rows: list[Row] = []
        for service in all_services():
            rates = []
            for number in range(rounds):
                progress(f"rebuilding {service.name}: round {number + 1} of {rounds}")
                url = new_database(servers, "bench_rebuilt")
                target = open_engine(url, writer=True)
                started = time.perf_counter()
                folded, read = _rebuild(service, market.engines, target)
                rates.append((read / (time.perf_counter() - started), folded, read))
                target.dispose()
            rate = median(rate for rate, _, _ in rates)
            if not rates[0][2]:
                continue
            rate, (_, folded, read) = median(rate for rate, _, _ in rates), rates[0]
            rows.append(
                {
                    "service": service.name,
                    "events": read,
                    "folded": folded,
                    "events/s": round(rate),
                    "folded/s": round(rate * folded / read),
                }
            )
    return Section(
        "Full rebuild of each service",
        rows,
        "Of its own log and those it hears, in one process. Events that its tables do not fold are never fetched.",
    )


def _rebuild(service: Service, engines: Mapping[str, sa.Engine], target: sa.Engine) -> tuple[int, int]:
    """How many events were folded, and how many the logs hold."""
    names = (service.name, *service.sources()) if service.foreign_events else (service.name,)
    upto = {}
    for name in names:
        with engines[name].connect() as connection:
            upto[name] = log.read_head(connection).position
    folded = fold(service.name, service.projection, service.foreign_event_names(), dict(engines), upto, target)
    return folded, sum(upto.values())


def lengthen(market: Market, copies: int, progress: Callable[[str], None]) -> None:
    """Every log again and again with the sagas it holds, as if as many more orders of other products had been sold."""
    for service, engine in market.engines.items():
        progress(f"lengthening the log of {service}")
        with engine.connect() as connection:
            whole = log_reader.read(connection, service, 0, market.heads()[service], sys.maxsize)
        pattern = [recorded for recorded in whole if ORDER in recorded.stream or CARD in recorded.stream]
        if pattern and copies > 1:
            extend(engine, pattern, copies - 1, renamed)


def renamed(text: str, number: int) -> str:
    """A text with a copy's own orders and products in place of the pattern's."""
    return text.replace(ORDER, f"copy-{number:07d}-").replace(CARD, f"CARD-{number:07d}-")
