"""Makes CloudEvents 1.0 of events: for the broker in binary mode (`ce-` headers), for webhooks in structured mode."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pika
from cloudevents.core.bindings.rabbitmq import CE_PREFIX, to_binary_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from shared.contracts import Message
from shared.contracts.registry import older
from shared.eventstore.recorded import RecordedEvent
from shared.messages.topology import event_key

JSON = "application/json"
PERSISTENT = 2
SEQUENCE, VERSIONS = "sequence", "versions"
SEQUENCE_DIGITS = 20


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """One message for subscribers: the event's position and time in its log, and the message's key, headers and
    body."""

    position: int
    at: datetime
    key: str
    properties: pika.BasicProperties
    body: bytes


def cloud_event(recorded: RecordedEvent, said: Message | None = None, beside: Sequence[int] = ()) -> CloudEvent:
    """An event as a CloudEvent with JSON data, in its newest version; with `said`, as that earlier version.

    Its `subject` is the stream. Its `sequence` is the position in the log, padded with zeros so that text order is the
    log's order. Its `versions`, if it is published in several, are those. Raises UnknownMessage, or pydantic's
    ValidationError.
    """
    event = said or recorded.event
    type_, meta = event.type(), json.loads(recorded.meta_json)
    attributes = {
        "id": recorded.id,
        "source": f"/kameng/{recorded.source}",
        "type": f"kameng.{event_key(recorded.source, type_)}",
        "time": recorded.at,
        "subject": recorded.stream,
        "datacontenttype": JSON,
        "partitionkey": event.partition_key(),
        SEQUENCE: f"{recorded.position:0{SEQUENCE_DIGITS}}",
        "correlationid": meta["correlation_id"],
        "causationid": meta["causation_id"],
        **({VERSIONS: " ".join(map(str, beside))} if beside else {}),
        **({"traceparent": meta["traceparent"]} if "traceparent" in meta else {}),
    }
    data = recorded.data if recorded.type == type_ else event.model_dump_json()
    return CloudEvent(attributes, data)


def cloud_events(recorded: RecordedEvent) -> list[CloudEvent]:
    """An event in each published version, the oldest first. All have the same `id` and `sequence`. Raises what
    `cloud_event` raises."""
    event = recorded.event
    earlier = older(event)
    if not earlier:
        return [cloud_event(recorded)]
    beside = [said.version for said in (*earlier, event)]
    return [cloud_event(recorded, said, beside) for said in (*earlier, event)]


def outgoing(recorded: RecordedEvent) -> list[OutgoingEvent]:
    """The messages for an event, one for each published version. Raises what `cloud_event` raises."""
    return [message_of(recorded, event) for event in cloud_events(recorded)]


def message_of(recorded: RecordedEvent, event: CloudEvent) -> OutgoingEvent:
    """The message of a CloudEvent that was made of `recorded`."""
    message = to_binary_event(event)
    properties = pika.BasicProperties(
        content_type=message.content_type, headers=message.headers, delivery_mode=PERSISTENT
    )
    key = event.get_type().removeprefix("kameng.")
    return OutgoingEvent(recorded.position, recorded.at, key, properties, message.body)


def structured(recorded: RecordedEvent, said: CloudEvent | None = None) -> str:
    """An event as one JSON object, in the structured mode of CloudEvents: its newest version, or `said`. Raises what
    `cloud_event` raises."""
    event = said or cloud_event(recorded)
    data = json.loads(str(event.get_data()))
    return JSONFormat().write(CloudEvent(dict(event.get_attributes()), data)).decode()


def position_of(properties: pika.BasicProperties) -> int:
    """The position of the event in a message of `outgoing`."""
    return int(str((properties.headers or {})[CE_PREFIX + SEQUENCE]))
