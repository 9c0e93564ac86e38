"""`kameng webhooks` as processes of their own: one posts, the other takes over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from services.gateway.read_models import ReadModels
from services.gateway.service import SERVICE
from services.gateway.webhooks import tables
from services.gateway.webhooks.signing import endpoint_secret
from shared.broker.log_server import LogServer
from shared.contracts import Event as Fact
from shared.contracts.gateway import StaffAdded, WebhookEndpointRegistered
from shared.eventstore import log
from shared.eventstore.engines import open_engine
from shared.eventstore.recorded import RecordedEvent
from shared.security.secrets import Secrets
from tests.broker.broker import SECONDS, Broker, wait_for
from tests.databases import NewDatabase
from tests.eventstore.builders import append, created
from tests.gateway.builders import NOW, fold
from tests.gateway.webhooks.receiver import Receiver, receiving

Start = Callable[[str], subprocess.Popen[bytes]]
META = '{"correlation_id": "flow", "causation_id": "cause"}'


class Gateway:
    """The gateway's database with its log, which a log server answers for; nobody writes commands."""

    def __init__(self, url: str) -> None:
        self.url, self.engine = url, open_engine(url, writer=True)
        self._head = created(self.engine)
        with self.engine.begin() as connection:
            log.create(connection, SERVICE.sources())
            ReadModels.metadata.create_all(connection)
            tables.metadata.create_all(connection)

    def happen(self, fact: Fact) -> None:
        position = self._head.position + 1
        stream, at = f"{fact.owner}-{position}", NOW + timedelta(seconds=position)
        one = RecordedEvent(
            "gateway", position, stream, 1, f"event-{position}", fact.type(), fact.model_dump_json(), META, at
        )
        fold(self.engine, [one])
        self._head = append(self.engine, self._head, [one])


@pytest.fixture
def gateway(postgres: NewDatabase, broker: Broker) -> Iterator[Gateway]:
    made, stop = Gateway(postgres()), Event()
    engine = open_engine(made.url, writer=False)
    server = LogServer("gateway", engine, broker.url)
    thread = Thread(target=server.run, args=(stop,), daemon=True)
    thread.start()
    yield made
    stop.set()
    thread.join()
    engine.dispose()
    made.engine.dispose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def start(gateway: Gateway, broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """Starts processes, which write where their probes are, and kills what is left of them at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "KAMENG_DATABASE_URL": gateway.url,
            "KAMENG_AMQP_URL": broker.url,
            "KAMENG_VAR": str(tmp_path),
            "KAMENG_WEBHOOK_PRIVATE": "true",
            "KAMENG_HEALTH_FILE": str(tmp_path / f"{name}.health"),
        }
        started.append(subprocess.Popen([sys.executable, "-m", "cli", "webhooks"], env=environment))
        wait_for((tmp_path / f"{name}.health").exists)
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def asked(tmp_path: Path, name: str, page: str) -> httpx.Response:
    return httpx.get(f"{(tmp_path / f'{name}.health').read_text()}{page}", timeout=SECONDS)


def leads(tmp_path: Path, name: str) -> bool:
    return asked(tmp_path, name, "/readyz").json()["leads"]


def test_one_posts_and_another_takes_over(gateway: Gateway, receiver: Receiver, start: Start, tmp_path: Path) -> None:
    secret = endpoint_secret(Secrets(tmp_path / "secrets"), "e1", 1)
    gateway.happen(
        WebhookEndpointRegistered(
            endpoint_id="e1", name="", url=receiver.url("e1"), events=("gateway.Staff*",), sources=("gateway",)
        )
    )
    gateway.happen(StaffAdded(username="first", role="support"))
    first = start("first")
    wait_for(lambda: receiver.keys("e1") == ["first"])
    assert receiver.at("e1")[0].verified(secret)["data"]["username"] == "first"
    assert leads(tmp_path, "first")
    wait_for(
        lambda: 'kameng_webhook_delivered_total{service="gateway"} 1.0' in asked(tmp_path, "first", "/metrics").text
    )

    second = start("second")
    assert asked(tmp_path, "second", "/readyz").status_code == 200
    assert not leads(tmp_path, "second")
    first.kill()
    first.wait()
    wait_for(lambda: leads(tmp_path, "second"))
    gateway.happen(StaffAdded(username="second", role="support"))
    wait_for(lambda: receiver.keys("e1") == ["first", "second"])

    second.send_signal(signal.SIGTERM)
    assert second.wait(SECONDS) == 0
