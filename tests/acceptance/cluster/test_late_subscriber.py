"""A subscriber who comes late to a whole platform, whose broker is killed while people buy."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.shop import Answer, answer_of, until
from shared.contracts.order import OrderPlaced
from tests.acceptance.cluster.everything import NAME
from tests.acceptance.cluster.load import AT_ONCE, Load
from tests.bench.load import Plan, generate
from tests.bench.shop import token_of
from tests.platform.cluster import ours
from tests.platform.market import ClusterMarket
from tests.waiting import PATIENCE

ORDERS, BEFORE_AT_ONCE, BEFORE = 400, 32, "BEFORE"
PASSWORD = "a password of twelve"
SCRIPT = Path(__file__).with_name("everything.py")
Seen = tuple[str, int, str, str]


class Everything:
    """The process, and the file that it writes to."""

    def __init__(self, market: ClusterMarket, folder: Path) -> None:
        self._market, self.file, self.log = market, folder / "everything.sqlite3", folder / "everything.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = [self._market.address, PASSWORD, self._market.platform.servers.amqp_url, str(self.file)]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, str(SCRIPT), *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )

    def end(self, number: signal.Signals) -> int | None:
        if self._process is None:
            return None
        self._process.send_signal(number)
        return self._process.wait(PATIENCE)

    def _ask(self, question: str) -> list[tuple]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            try:
                return connection.execute(question).fetchall()
            except sqlite3.OperationalError:
                return []  # not made yet

    def seen(self) -> list[Seen]:
        """What was handled, in order."""
        return self._ask("SELECT source, sequence, key, id FROM seen ORDER BY number")

    async def has(self, count: int) -> None:
        """Wait until so many were handled."""
        self._alive()

        async def look() -> Answer | None:
            self._alive()
            return {} if self.file.exists() and self._ask("SELECT count(*) FROM seen")[:1] >= [(count,)] else None

        await until(f"{count} events to be handled", look, 3 * PATIENCE)

    async def has_replayed(self) -> None:
        """Wait until the feed is read to its end."""

        async def look() -> Answer | None:
            self._alive()
            done = self.file.exists() and self._ask("SELECT 1 FROM kameng_about WHERE name='replayed' AND value='yes'")
            return {} if done else None

        await until("the feed to be read", look, 3 * PATIENCE)

    def _alive(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-2_000:]


@pytest.fixture
def subscriber(published: ClusterMarket, tmp_path: Path) -> Iterator[Everything]:
    made = Everything(published, tmp_path)
    yield made
    made.end(signal.SIGKILL)


@pytest.mark.timeout(900)
def test_who_comes_late_sees_everything_once_and_in_order(published: ClusterMarket, subscriber: Everything) -> None:
    market, broker = published, ours(published.platform.servers.rabbitmq)
    load = Load(market, random.Random(7))

    async def happen(load: Load) -> None:
        await load.further(2 * AT_ONCE)
        await asyncio.to_thread(subscriber.start)
        await subscriber.has(100)
        await load.further(AT_ONCE)
        await subscriber.has_replayed()
        await load.further(2 * AT_ONCE)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        await load.further(2 * AT_ONCE)
        await asyncio.to_thread(subscriber.end, signal.SIGKILL)
        await load.further(AT_ONCE)
        await asyncio.to_thread(subscriber.start)

    async def whole() -> None:
        account = {"username": NAME, "role": "subscriber", "password": PASSWORD}
        answer_of(await market.staff["administrator"].post("/v1/staff", json=account))
        await buy(market, ORDERS)
        await load.run(happen)
        await market.settled()
        await subscriber.has(sum(market.platform.heads().values()))

    market.run(whole())
    assert subscriber.end(signal.SIGTERM) == 0

    seen, ends = subscriber.seen(), market.platform.heads()
    placed = {event.order_id for event in market.platform.events("order", OrderPlaced)}
    print(f"{len(placed)} orders, {len(seen)} events; asked again for {dict(load.outcomes.again)}")
    assert len(placed) > ORDERS
    for source, end in ends.items():
        assert sorted(sequence for where, sequence, _, _ in seen if where == source) == [*range(1, end + 1)]
    assert len({id_ for *_, id_ in seen}) == len(seen)
    by_key = sorted(seen, key=lambda one: (one[0], one[2]))  # stable: keeps the order of handling
    for _, of_one_key in groupby(by_key, key=lambda one: (one[0], one[2])):
        sequences = [sequence for _, sequence, _, _ in of_one_key]
        assert sequences == sorted(sequences)


async def buy(market: ClusterMarket, orders: int) -> None:
    """Orders from start to end, as fast as it goes."""
    await market.stock({BEFORE: [f"{BEFORE}-{number}" for number in range(orders)]}, price="0.10")
    place = urlsplit(market.address)
    tokens = [token_of(buyer.http) for buyer in market.buyers]
    plan = Plan(place.hostname or "", place.port or 0, tokens, [BEFORE], orders, BEFORE_AT_ONCE, wait=30.0)
    await asyncio.to_thread(generate, plan)
