"""What is declared at the broker is what RabbitMQ from 3.10 to 4.3 takes, and replaces what older versions declared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pika.exceptions import ConnectionClosedByBroker

from services import NAMES
from shared.messages.topology import (
    Queue,
    inbox,
    pulls,
    replies,
)
from shared.messages.wire import Pull
from shared.runtime.cluster.broker_connection import BrokerSession
from tests.broker.broker import Broker
from tests.broker.test_log_server import (
    Log,
    button,
    listening,
    serving,
)
from tests.waiting import wait_for

__all__ = ["button"]
ROOT = Path(__file__).parents[2]
FOLDERS = ("cli", "demo", "shared", "services", "clients/python/src")
TRANSIENT = {"exclusive": False, "durable": False, "auto_delete": False}


@pytest.mark.parametrize("queue", [inbox("order", ()), pulls("order"), replies("caller"), replies("caller", "gateway")])
def test_every_queue_is_durable_or_exclusive_and_no_more_than_classic(queue: Queue) -> None:
    assert queue.settings["durable"] is not queue.settings["exclusive"]
    assert not queue.settings["auto_delete"]
    assert set(queue.settings["arguments"]) <= {"x-max-length-bytes", "x-overflow"}  # no mirrors, no lazy mode


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
                    yield path, node


def is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def test_no_queue_is_declared_that_a_broker_of_today_refuses() -> None:
    found = list(calls("queue_declare"))
    assert found
    for path, call in found:
        arguments = {one.arg: one.value for one in call.keywords}
        spread = arguments.get(None)
        is_ours = isinstance(spread, ast.Attribute) and spread.attr == "settings"
        assert is_ours or any(name in arguments and is_true(arguments[name]) for name in ("durable", "passive")), path


def test_nobody_limits_consumers_globally() -> None:
    found = list(calls("basic_qos"))
    assert found
    for path, call in found:
        names = {one.arg for one in call.keywords}
        assert not {"global_qos", "a_global"} & names, path
        assert len(call.args) < 3 or not is_true(call.args[2]), path


def test_there_is_a_queue_for_each_service() -> None:
    assert len({queue.name for name in NAMES for queue in (inbox(name, ()), pulls(name))}) == 2 * len(NAMES)


def declared_before(broker: Broker, queue: Queue) -> None:
    """As the version before declared it: neither durable nor exclusive."""
    with broker.channel() as channel:
        channel.queue_delete(queue.name)
        try:
            channel.queue_declare(queue.name, **{**queue.settings, "durable": False})
        except ConnectionClosedByBroker as error:
            pytest.skip(f"this broker holds no such queue: {error.reply_text}")
        channel.basic_publish("", queue.name, b"left over")
    broker.forget_later(queue.name)


def is_durable(broker: Broker, queue: Queue) -> bool:
    with broker.channel() as channel:
        channel.queue_declare(queue.name, **queue.settings)  # would be refused
        return True


def test_a_log_server_replaces_the_queue_of_the_version_before(button: Log, broker: Broker) -> None:
    button.grow(2)
    declared_before(broker, pulls("button"))
    with listening(broker) as (ear, queue), serving(button.url, broker):
        broker.send(pulls("button").name, Pull("button", 0, 5, queue))
        wait_for(lambda: ear.batches)
        assert ear.batches[0].last == 2
    assert is_durable(broker, pulls("button"))


def test_a_writer_replaces_the_queue_of_the_version_before(broker: Broker) -> None:
    queue = inbox(f"test-{uuid4().hex}", ())
    declared_before(broker, queue)
    for _ in range(2):
        session = BrokerSession(broker.direct_url, queue, ())
        session.abandon()
    assert is_durable(broker, queue)
