"""What an event looks like to the outside."""

from __future__ import annotations

from datetime import UTC, datetime

from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event

from shared.contracts import Metadata
from shared.contracts.risk import ListEntryRemoved
from shared.eventlog.recorded import Recorded
from shared.messaging.outgoing import outgoing

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def recorded(traceparent: str | None) -> Recorded:
    event = ListEntryRemoved(entry="email/ann", reason="a friend")
    meta = Metadata(correlation_id="flow", causation_id="cause", traceparent=traceparent)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Recorded(
        "risk", 1, "list-email/ann", 1, "e1", event.type(), event.model_dump_json(), meta.model_dump_json(), at
    )


def test_a_traced_event_carries_its_trace_as_the_distributed_tracing_extension_has_it() -> None:
    message = outgoing(recorded(TRACEPARENT))

    assert message.properties.headers is not None
    assert message.properties.headers["ce-traceparent"] == TRACEPARENT
    read = from_rabbitmq_event(
        RabbitMQMessage(
            headers={name: str(value) for name, value in message.properties.headers.items()},
            content_type=message.properties.content_type,
            body=message.body,
        )
    )
    assert read.get_extension("traceparent") == TRACEPARENT


def test_an_event_that_nobody_traced_carries_none() -> None:
    headers = outgoing(recorded(None)).properties.headers

    assert headers is not None
    assert "ce-traceparent" not in headers
