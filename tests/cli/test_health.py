"""The probes and metrics of processes that serve nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
import sqlalchemy as sa

from cli import publishing
from cli.logserving import health_of
from shared.broker.log_server import LogServer
from shared.broker.publisher import Publisher
from shared.eventstore import log
from shared.eventstore.engines import open_engine
from tests.broker.broker import Broker, broker, servers
from tests.databases import NewDatabase
from tests.waiting import PATIENCE, wait_for

__all__ = ["broker", "servers"]

SERVICE = "button"
NOWHERE = "amqp://nobody:nothing@127.0.0.1:1/"
Get = Callable[[str], httpx.Response]


@pytest.fixture
def engine(postgres: NewDatabase) -> Iterator[sa.Engine]:
    """A database with an empty log."""
    opened = open_engine(postgres(), writer=True)
    with opened.begin() as connection:
        log.create(connection, ())
    yield opened
    opened.dispose()


@pytest.fixture
def get(engine: sa.Engine, broker: Broker, tmp_path: Path) -> Iterator[Get]:
    """Asks a log server at work at the address that it wrote down."""
    server, stop, file = LogServer(SERVICE, engine, broker.url, every_seconds=0.05), Event(), tmp_path / "health"
    broker.forget_later(f"kameng.pulls.{SERVICE}")
    thread = Thread(target=server.run, args=(stop,))
    with health_of(server, engine, host="127.0.0.1", port=0, file=file):
        thread.start()
        yield lambda page: httpx.get(file.read_text() + page)
        stop.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def test_it_is_ready_while_database_and_broker_are_there(get: Get, broker: Broker) -> None:
    wait_for(lambda: get("/readyz").status_code == 200)
    with broker.wire.broken():
        wait_for(lambda: get("/readyz").status_code == 503)
        without = get("/readyz").json()
    wait_for(lambda: get("/readyz").status_code == 200)

    assert without == {"ready": False, "database": True, "broker": False, "head": 0}


def test_it_lives_and_measures(get: Get) -> None:
    wait_for(lambda: get("/readyz").is_success)

    assert get("/healthz").json() == {"alive": True}
    assert f'kameng_log_server_connected{{service="{SERVICE}"}} 1.0' in get("/metrics").text
    assert f'kameng_log_server_pulls_total{{service="{SERVICE}"}} 0.0' in get("/metrics?").text
    assert get("/elsewhere").status_code == 404


def test_without_a_database_it_is_not_ready(tmp_path: Path) -> None:
    nowhere = open_engine("postgresql+psycopg://a:hidden@127.0.0.1:1/b", writer=False)
    file = tmp_path / "health"

    with health_of(LogServer(SERVICE, nowhere, NOWHERE), nowhere, host="127.0.0.1", port=0, file=file):
        answer = httpx.get(f"{file.read_text()}/readyz")

    assert answer.status_code == 503
    assert json.loads(answer.text)["database"] is False
    assert "hidden" not in answer.text


def test_a_publisher_that_stands_by_sees_the_broker(engine: sa.Engine, broker: Broker) -> None:
    assert publishing.readiness(Publisher(SERVICE, engine, broker.url), engine).broker
    assert not publishing.readiness(Publisher(SERVICE, engine, NOWHERE), engine).broker


def test_a_port_that_is_taken_is_an_error(engine: sa.Engine) -> None:
    server = LogServer(SERVICE, engine, NOWHERE)
    first = health_of(server, engine, host="127.0.0.1", port=0, file=None)
    with first, pytest.raises(OSError, match="in use"):
        health_of(server, engine, host="127.0.0.1", port=first.port, file=None)
