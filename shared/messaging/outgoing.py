"""How an event looks to the outside: CloudEvents 1.0, by the SDK's RabbitMQ binding in binary mode (`ce-` headers)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import pika
from cloudevents.core.bindings.rabbitmq import CE_PREFIX, to_binary_event
from cloudevents.core.v1.event import CloudEvent

from shared.eventlog.recorded import Recorded
from shared.messaging.topology import event_key

JSON = "application/json"
PERSISTENT = 2
SEQUENCE = "sequence"
SEQUENCE_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message: the event's `position` in its log, its time there, and what the broker is given."""

    position: int
    at: datetime
    key: str
    properties: pika.BasicProperties
    body: bytes


def outgoing(recorded: Recorded) -> Outgoing:
    """The message for an event, in its newest version.

    Its `subject` is the stream, its `sequence` the position in the log, with zeros before it so that text order is
    the log's order. Raises UnknownMessage, or pydantic's ValidationError.
    """
    event = recorded.event
    newest, meta = event.type(), json.loads(recorded.meta_json)
    attributes = {
        "id": recorded.id,
        "source": f"/kameng/{recorded.source}",
        "type": f"kameng.{recorded.source}.{newest}",
        "time": recorded.at,
        "subject": recorded.stream,
        "datacontenttype": JSON,
        "partitionkey": event.partition_key(),
        SEQUENCE: f"{recorded.position:0{SEQUENCE_DIGITS}}",
        "correlationid": meta["correlation_id"],
        "causationid": meta["causation_id"],
        **({"traceparent": meta["traceparent"]} if "traceparent" in meta else {}),
    }
    data = recorded.data if recorded.type == newest else event.model_dump_json()
    message = to_binary_event(CloudEvent(attributes, data))
    properties = pika.BasicProperties(
        content_type=message.content_type, headers=message.headers, delivery_mode=PERSISTENT
    )
    return Outgoing(recorded.position, recorded.at, event_key(recorded.source, newest), properties, message.body)


def position_of(properties: pika.BasicProperties) -> int:
    """The position of the event that a message of `outgoing` holds."""
    return int(str((properties.headers or {})[CE_PREFIX + SEQUENCE]))
