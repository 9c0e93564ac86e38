"""The AsyncAPI 3 document of published events: a channel, a message and an example for each routing key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudevents.core.bindings.rabbitmq import CE_PREFIX

from shared.broker.cloudevents import (
    JSON,
    PERSISTENT,
    SEQUENCE,
    SEQUENCE_DIGITS,
    VERSIONS,
)
from shared.messages.topology import EVENTS
from shared.published.event_versions import EventVersion
from shared.published.schemas import Schema

BINDINGS = "0.3.0"
TEXT: Schema = {"type": "string", "minLength": 1}
ATTRIBUTES: dict[str, Schema] = {
    "specversion": {"const": "1.0", "description": "The version of CloudEvents."},
    "id": TEXT | {"description": "The event's id, the same each time it is sent, and in each version it is sent in."},
    "source": TEXT | {"description": "The service."},
    "type": TEXT | {"description": "`kameng.` and the routing key."},
    "time": {"type": "string", "format": "date-time", "description": "When it was recorded, UTC."},
    "subject": TEXT | {"description": "The stream: aggregate and key."},
    "partitionkey": TEXT | {"description": "What events are ordered by."},
    SEQUENCE: {
        "type": "string",
        "pattern": rf"^\d{{{SEQUENCE_DIGITS}}}$",
        "description": "The position in the service's log, without gaps, with zeros before it.",
    },
    "correlationid": TEXT | {"description": "The flow it belongs to."},
    "causationid": TEXT | {"description": "The command or event that led to it."},
}
OPTIONAL: dict[str, Schema] = {
    VERSIONS: {
        "type": "string",
        "pattern": r"^\d+( \d+)+$",
        "description": "Where the event is sent in several versions: which, with spaces between them.",
    },
    "traceparent": {
        "type": "string",
        "pattern": r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        "description": "Where there are traces: the span that led to it, as the distributed tracing extension has it.",
    },
}
ABOUT = """\
Kameng publishes each event of each service's log as one CloudEvents 1.0 message (binary mode, \
headers `ce-…`), sent to the durable topic exchange `kameng.events`. Declare a queue of your own, bind it to the \
routing keys you know, expect repeats, and ignore fields you do not know. A version never changes but by further \
optional fields."""


def asyncapi(published: Mapping[EventVersion, tuple[Schema, Mapping[str, Any]]]) -> dict[str, Any]:
    """The document, from the schema and the example of each version. Raises ValueError for two parts of one name."""
    sent = {version: both for version, both in published.items() if version.is_sent}
    parts: dict[str, Schema] = {}
    for schema, _ in sent.values():
        for name, part in schema.get("$defs", {}).items():
            if parts.setdefault(name, part) != part:
                raise ValueError(f"two things in the contracts are called {name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kameng events",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {version.key: _channel(version) for version in sent},
        "operations": {f"send.{version.key}": _operation(version) for version in sent},
        "components": {
            "messageTraits": {"cloudEvent": _envelope()},
            "messages": {
                version.key: _message(version, schema, example) for version, (schema, example) in sent.items()
            },
            "schemas": {name: _local(parts[name]) for name in sorted(parts)}
            | {version.key: _payload(schema) for version, (schema, _) in sent.items()},
        },
    }


def _channel(version: EventVersion) -> dict[str, Any]:
    exchange = {"name": EVENTS, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": version.key,
        "messages": {version.key: {"$ref": f"#/components/messages/{version.key}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDINGS}},
    }


def _operation(version: EventVersion) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{version.key}"},
        "messages": [{"$ref": f"#/channels/{version.key}/messages/{version.key}"}],
        "bindings": {"amqp": {"deliveryMode": PERSISTENT, "bindingVersion": BINDINGS}},
    }


def _envelope() -> dict[str, Any]:
    headers = {CE_PREFIX + name: schema for name, schema in (ATTRIBUTES | OPTIONAL).items()}
    return {
        "contentType": JSON,
        "correlationId": {"location": f"$message.header#/{CE_PREFIX}correlationid"},
        "headers": {"type": "object", "required": [CE_PREFIX + name for name in ATTRIBUTES], "properties": headers},
    }


def _message(version: EventVersion, schema: Schema, example: Mapping[str, Any]) -> dict[str, Any]:
    type_, source = CE_PREFIX + "type", CE_PREFIX + "source"
    always = {name: {"const": example["headers"][name]} for name in (type_, source)}
    return {
        "name": example["headers"][type_],
        "title": version.name,
        "summary": version.meaning.partition("\n")[0],
        "tags": [{"name": version.owner}],
        "headers": {"type": "object", "properties": always},
        "payload": {"$ref": f"#/components/schemas/{version.key}"},
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "examples": [{"headers": example["headers"], "payload": example["body"]}],
    }


def _payload(schema: Schema) -> Schema:
    return _local({part: value for part, value in schema.items() if part not in ("$schema", "$id", "$defs")})


def _local(node: Any) -> Any:
    """A schema with references to this document's components."""
    if isinstance(node, list):
        return [_local(one) for one in node]
    if not isinstance(node, dict):
        return node
    moved = {part: _local(value) for part, value in node.items()}
    if isinstance(target := moved.get("$ref"), str):
        return {"$ref": target.replace("#/$defs/", "#/components/schemas/")}
    return moved
