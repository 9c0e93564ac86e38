"""An event, from a message of the broker or an item of the feed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from kameng_subscriber import events  # makes its models known
from kameng_subscriber.errors import Unreadable
from kameng_subscriber.models import EventData

__all__ = ["Event", "events", "from_message", "from_structured", "headers_of"]
PREFIX = "ce-"
REDRIVEN = "kameng-redriven"
VERSIONS = "versions"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact.

    `source` is the service whose log it stands in and `sequence` its place there, counted from 1; `id` is the same each
    time it is sent. `subject` is the stream it belongs to, `partition_key` what events are ordered by. `data` is a
    model of `kameng_subscriber.events`, or the plain JSON object of a type that this version does not know. `redriven`
    tells that it was a dead letter, `has_twin` that the same fact comes in the version that is known here as well.
    """

    id: str
    source: str
    sequence: int
    type: str
    time: datetime
    subject: str
    partition_key: str
    data: EventData | dict[str, Any]
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    redriven: bool = False
    has_twin: bool = False

    @property
    def key(self) -> str:
        """The routing key: `order.OrderPlaced.v1`."""
        return self.type.removeprefix("kameng.")

    @property
    def name(self) -> str:
        """The event's name without service and version: `OrderPlaced`."""
        return self.key.partition(".")[2].rpartition(".")[0]

    @property
    def version(self) -> int:
        return int(self.key.rpartition(".v")[2])

    def __str__(self) -> str:
        return f"{self.key} at {self.source} {self.sequence}"


def from_message(headers: Mapping[str, object] | None, body: bytes) -> Event:
    """The event of a message: attributes in `ce-` headers, JSON in the body. Raises Unreadable."""
    told = headers or {}
    attributes = {name.removeprefix(PREFIX): value for name, value in told.items() if name.startswith(PREFIX)}
    try:
        data = json.loads(body)
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    return _event(attributes, data, redriven=REDRIVEN in told)


def from_structured(item: Mapping[str, object]) -> Event:
    """The event of a CloudEvents JSON object, as the feed gives it. Raises Unreadable."""
    return _event(item, item.get("data"), redriven=False)


def headers_of(item: Mapping[str, object]) -> dict[str, str]:
    """The headers that a message of this CloudEvents JSON object would have."""
    return {PREFIX + name: str(value) for name, value in item.items() if name not in ("data", "datacontenttype")}


def _event(attributes: Mapping[str, object], data: object, *, redriven: bool) -> Event:
    if attributes.get("specversion") != "1.0":
        raise Unreadable("it is not a CloudEvent of version 1.0")
    if not isinstance(data, dict):
        raise Unreadable("its data is not a JSON object")
    type_, source = _text(attributes, "type"), _text(attributes, "source")
    service = source.removeprefix("/kameng/")
    if service == source or not type_.startswith(f"kameng.{service}."):
        raise Unreadable("its type and source are not of kameng")
    try:
        sequence, time = int(_text(attributes, "sequence")), datetime.fromisoformat(_text(attributes, "time"))
    except ValueError:
        raise Unreadable("its sequence or time can't be read") from None
    return Event(
        id=_text(attributes, "id"),
        source=service,
        sequence=sequence,
        type=type_,
        time=time,
        subject=_text(attributes, "subject"),
        partition_key=_text(attributes, "partitionkey"),
        data=_typed(type_, data),
        correlation_id=str(attributes.get("correlationid", "")),
        causation_id=str(attributes.get("causationid", "")),
        traceparent=str(attributes.get("traceparent", "")),
        redriven=redriven,
        has_twin=_has_twin(type_, str(attributes.get(VERSIONS, ""))),
    )


def _has_twin(type_: str, versions: str) -> bool:
    """While an event is sent in several versions, each message names them all: `1 2`."""
    stem = type_.rpartition(".v")[0]
    return type_ not in EventData.known and any(f"{stem}.v{one}" in EventData.known for one in versions.split())


def _text(attributes: Mapping[str, object], name: str) -> str:
    value = attributes.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"it has no {name}")
    return value


def _typed(type_: str, data: dict[str, Any]) -> EventData | dict[str, Any]:
    model = EventData.known.get(type_)
    if model is None:
        return data
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in one["loc"]) for one in error.errors(include_input=False)})
        raise Unreadable(f"{type_} does not fit in {', '.join(fields)}") from None
