"""How an event looks to the outside: CloudEvents 1.0.

Over the broker by the SDK's RabbitMQ binding in binary mode (`ce-` headers), by webhook in structured mode.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import pika
from cloudevents.core.bindings.rabbitmq import CE_PREFIX, to_binary_event
from cloudevents.core.formats.json import JSONFormat
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


def cloud_event(recorded: Recorded) -> CloudEvent:
    """An event, in its newest version, with its data as JSON text.

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
    }
    data = recorded.data if recorded.type == newest else event.model_dump_json()
    return CloudEvent(attributes, data)


def outgoing(recorded: Recorded) -> Outgoing:
    """The message for an event. Raises what `cloud_event` does."""
    message = to_binary_event(cloud_event(recorded))
    properties = pika.BasicProperties(
        content_type=message.content_type, headers=message.headers, delivery_mode=PERSISTENT
    )
    key = event_key(recorded.source, recorded.event.type())
    return Outgoing(recorded.position, recorded.at, key, properties, message.body)


def structured(recorded: Recorded) -> str:
    """The same as one JSON object, as the structured mode of CloudEvents has it. Raises what `cloud_event` does."""
    event = cloud_event(recorded)
    data = json.loads(str(event.get_data()))
    return JSONFormat().write(CloudEvent(dict(event.get_attributes()), data)).decode()


def position_of(properties: pika.BasicProperties) -> int:
    """The position of the event that a message of `outgoing` holds."""
    return int(str((properties.headers or {})[CE_PREFIX + SEQUENCE]))
