"""The client of the broker, when the broker, its queues or the wire fail."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import uuid4

import pytest

from deploy.local.rabbitmq import RabbitMQ
from shared.broker.client import BrokerClient
from shared.broker.requests import CommandRequest
from shared.messages.messages import Reply
from shared.messages.topology import inbox
from tests.broker.broker import Broker
from tests.broker.stand_in import StandInWriter, answered, opened
from tests.runtime.builders import press
from tests.waiting import PATIENCE, wait_for


def delete_from_within(client: BrokerClient, queue: str) -> None:
    """Delete an exclusive queue, which only its own connection may do."""
    channel = client._connection and client._connection._channel
    assert channel
    client._loop.add_callback_threadsafe(lambda: channel.queue_delete(queue))


def test_a_command_that_got_lost_in_its_queue_is_sent_again(
    client: BrokerClient, broker: Broker, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CommandRequest, "again_seconds", 0.3)
    queue = broker.declare(inbox(service, ()))
    future = client.send(service, press("1"))
    wait_for(lambda: client.messages)
    broker.purge(queue)
    writer = StandInWriter(service)
    with opened(broker, writer):
        assert answered(future) == "1"


def test_after_a_cut_all_that_has_no_reply_is_sent_again(
    client: BrokerClient, broker: Broker, writer: StandInWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CommandRequest, "again_seconds", 3600.0)
    writer.silent = True
    futures = [client.send(writer.service, press(str(n))) for n in range(50)]
    wait_for(lambda: len(set(writer.ids)) == 50)
    writer.silent = False
    broker.wire.cut()
    assert [answered(future) for future in futures] == [str(n) for n in range(50)]
    assert writer.ids == [str(n) for n in range(50)] * 2


def test_no_caller_notices_cuts_under_load(client: BrokerClient, broker: Broker, writer: StandInWriter) -> None:
    futures: list[Future[Reply]] = []
    for turn in range(6):
        futures += [client.send(writer.service, press(f"{turn}-{n}")) for n in range(200)]
        carried = broker.wire.carried
        broker.wire.cut()
        wait_for(lambda carried=carried: broker.wire.carried >= carried + 2)
    assert [answered(future) for future in futures] == [f"{turn}-{n}" for turn in range(6) for n in range(200)]


def test_a_lost_queue_of_replies_is_replaced(client: BrokerClient, writer: StandInWriter) -> None:
    writer.silent = True
    future = client.send(writer.service, press("1"))
    wait_for(lambda: writer.messages)
    writer.silent = False
    lost = writer.messages[0][0].reply_to
    delete_from_within(client, lost)
    assert answered(future) == "1"
    assert writer.messages[-1][0].reply_to != lost


def test_a_deleted_inbox_is_waited_for(client: BrokerClient, broker: Broker, writer: StandInWriter) -> None:
    futures = []
    for turn in range(5):
        futures += [client.send(writer.service, press(f"{turn}-{n}")) for n in range(20)]
        wait_for(lambda: broker.exists(inbox(writer.service, ()).name))
        broker.delete(inbox(writer.service, ()).name)
    for future in futures:
        future.result(PATIENCE)


def test_a_broker_that_comes_back_with_an_empty_disk(
    client: BrokerClient, broker: Broker, writer: StandInWriter, rabbitmq: RabbitMQ
) -> None:
    with BrokerClient("patient", broker.url, deadline_seconds=90) as patient:
        assert answered(patient.send(writer.service, press("1"))) == "1"
        rabbitmq.wipe()
        future, lost = patient.send(writer.service, press("2")), BrokerClient("x", broker.url, deadline_seconds=0.5)
        with lost:
            assert isinstance(lost.send(writer.service, press("3")).exception(PATIENCE), TimeoutError)
        rabbitmq.start()
        assert future.result(PATIENCE).answer == {"id": "2"}
    wait_for(lambda: client.connected)
    assert answered(client.send(writer.service, press("4"))) == "4"


def test_a_frozen_broker_delays_no_deadline(broker: Broker, writer: StandInWriter, rabbitmq: RabbitMQ) -> None:
    with BrokerClient("test", broker.url, deadline_seconds=0.5) as client:
        assert answered(client.send(writer.service, press("1"))) == "1"
        rabbitmq.freeze()
        try:
            futures = [client.send(writer.service, press(f"2-{n}", note="x" * 100_000)) for n in range(200)]
            assert {type(future.exception(PATIENCE)) for future in futures} == {TimeoutError}
        finally:
            rabbitmq.thaw()
        wait_for(lambda: client.send(writer.service, press(uuid4().hex)).exception(PATIENCE) is None)
