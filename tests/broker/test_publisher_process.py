"""`kameng publisher` as a process of its own: stopped, killed, and asked how it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.broker.publisher import WINDOW
from shared.contracts.gateway import StaffAdded
from shared.eventstore.recorded import RecordedEvent
from tests.broker.broker import Broker
from tests.broker.subscribing import (
    Log,
    Subscriber,
    check_repeats,
    up_to,
)
from tests.databases import NewDatabase
from tests.eventstore.builders import event
from tests.waiting import PATIENCE, wait_for

COUNT = 6_000
Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def gateway(postgres: NewDatabase) -> Iterator[Log]:
    """The log of a service that the command line knows."""
    made = Log(postgres(), "gateway")
    made.add([added(position) for position in range(1, COUNT + 1)])
    yield made
    made.engine.dispose()


def added(position: int) -> RecordedEvent:
    fact, one = StaffAdded(username=f"u{position}", role="support"), event(position, "staff-u", position)
    data = fact.model_dump_json()
    return RecordedEvent("gateway", position, one.stream, position, one.id, fact.type(), data, one.meta_json, one.at)


@pytest.fixture
def everything(gateway: Log, broker: Broker) -> Subscriber:
    made = Subscriber(broker)
    made.bind("gateway.#")
    return made


@pytest.fixture
def start(gateway: Log, broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """Starts publishers, which write where their probes are, and kills what is left of them at the end."""
    environment = {
        **os.environ,
        "KAMENG_DATABASE_URL": gateway.url,
        "KAMENG_AMQP_URL": broker.url,
        "KAMENG_HEALTH_FILE": str(health_file(tmp_path)),
    }
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-m", "cli", "publisher", "gateway"], env=environment))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def health_file(tmp_path: Path) -> Path:
    return tmp_path / "publisher.health"


def test_a_stopped_publisher_settles_what_is_on_its_way(gateway: Log, everything: Subscriber, start: Start) -> None:
    process = start()
    wait_for(lambda: gateway.checkpoint)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert gateway.checkpoint < COUNT

    start()
    wait_for(lambda: gateway.checkpoint == COUNT)
    assert everything.has(COUNT)
    assert everything.positions == up_to(COUNT)


def test_a_killed_publisher_leaves_no_gap_and_repeats_a_window_at_most(
    gateway: Log, everything: Subscriber, start: Start
) -> None:
    process = start()
    wait_for(lambda: gateway.checkpoint)
    process.kill()
    process.wait()
    assert gateway.checkpoint < COUNT

    start()
    wait_for(lambda: gateway.checkpoint == COUNT)
    assert everything.has(COUNT)
    check_repeats(everything.positions, COUNT, WINDOW)


def test_it_tells_how_far_it_is(gateway: Log, everything: Subscriber, start: Start, tmp_path: Path) -> None:
    start()
    wait_for(lambda: gateway.checkpoint == COUNT and health_file(tmp_path).exists())
    address = health_file(tmp_path).read_text()
    wait_for(lambda: httpx.get(f"{address}/readyz").json().get("position") == COUNT)

    ready, metrics = httpx.get(f"{address}/readyz"), httpx.get(f"{address}/metrics").text
    assert (ready.status_code, ready.json()["leads"], ready.json()["held"]) == (200, True, None)
    assert f'kameng_publisher_position{{service="gateway"}} {COUNT}.0' in metrics
