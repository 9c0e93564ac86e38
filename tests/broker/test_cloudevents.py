"""How an event looks to the outside, by broker and by webhook."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from shared.broker.cloudevents import OutgoingEvent, outgoing, structured
from shared.contracts import Metadata
from shared.contracts.order import OrderPlaced
from shared.contracts.risk import ListEntryRemoved
from shared.eventstore.recorded import RecordedEvent
from tests.gateway.builders import Logs, placed

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECORDED = Logs().record(placed("o1"))


def recorded(traceparent: str | None) -> RecordedEvent:
    event = ListEntryRemoved(entry="email/ann", reason="a friend")
    meta = Metadata(correlation_id="flow", causation_id="cause", traceparent=traceparent)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return RecordedEvent(
        "risk", 1, "list-email/ann", 1, "e1", event.type(), event.model_dump_json(), meta.model_dump_json(), at
    )


def read(message: OutgoingEvent) -> CloudEvent:
    headers: Any = message.properties.headers
    return from_rabbitmq_event(RabbitMQMessage(dict(headers), str(message.properties.content_type), message.body))


def test_a_traced_event_carries_its_trace_as_the_distributed_tracing_extension_has_it() -> None:
    [message] = outgoing(recorded(TRACEPARENT))

    assert message.properties.headers is not None
    assert message.properties.headers["ce-traceparent"] == TRACEPARENT
    assert read(message).get_extension("traceparent") == TRACEPARENT


def test_an_event_that_nobody_traced_carries_none() -> None:
    [message] = outgoing(recorded(None))

    assert message.properties.headers is not None
    assert "ce-traceparent" not in message.properties.headers


def test_a_webhook_and_the_broker_carry_the_same_event() -> None:
    [message] = outgoing(RECORDED)
    by_broker, by_webhook = read(message), JSONFormat().read(None, structured(RECORDED))

    assert by_webhook.get_attributes() == by_broker.get_attributes()
    assert OrderPlaced.model_validate(by_webhook.get_data()) == placed("o1")
    assert by_broker.get_data() in (by_webhook.get_data(), json.dumps(by_webhook.get_data()), RECORDED.data)


def test_a_webhook_carries_one_json_object() -> None:
    envelope = json.loads(structured(RECORDED))
    assert (envelope["type"], envelope["source"], envelope["subject"]) == (
        "kameng.order.OrderPlaced.v1",
        "/kameng/order",
        "order-o1",
    )
    assert (envelope["data"]["order_id"], envelope["partitionkey"]) == ("o1", "o1")
