"""Makes an example message of each version of an event, as a publisher sends it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import NAMESPACE_URL, uuid5

from pydantic import AwareDatetime, BaseModel, ValidationError

from shared.broker.cloudevents import cloud_event, message_of
from shared.contracts import Message, Metadata, Money
from shared.eventstore.recorded import RecordedEvent
from shared.published.event_versions import EventVersion
from shared.published.fields import Unsaid, doc, optional, where

RECORDED_AT = datetime(2026, 1, 1, 8, 0, 1, tzinfo=UTC)
POSITION = 42


def example(version: EventVersion) -> dict[str, Any]:
    """The message: routing key, headers, content type, and the body as JSON. Raises Unsaid."""
    try:
        event = version.cls.model_validate(_body(version.cls) | ({version.cls.key: version.log} if version.log else {}))
    except ValidationError as error:
        fields = ", ".join(".".join(str(part) for part in one["loc"]) for one in error.errors())
        raise Unsaid(f"{version.key}: the values to show in {where(version.cls)} do not fit: {fields}") from None
    aggregate = aggregates(version.cls).get(version.cls.key)
    if aggregate is None:
        raise Unsaid(f"AGGREGATES in {where(version.cls)} must say what a stream of {version.cls.key} is called by")
    stream = f"{aggregate}-{event.partition_key()}"
    meta = Metadata(correlation_id=_id("flow"), causation_id=_id(version.key, "cause"), actor="system")
    recorded = RecordedEvent(
        version.owner, POSITION, stream, 1, _id(version.key), version.cls.type(), event.model_dump_json(),
        meta.model_dump_json(), RECORDED_AT,
    )  # fmt: skip
    sent = message_of(recorded, cloud_event(recorded, event, version.beside))
    return {
        "routing_key": sent.key,
        "headers": sent.properties.headers,
        "content_type": sent.properties.content_type,
        "body": json.loads(sent.body),
    }


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(("urn:kameng:example", *parts))))


def aggregates(cls: type[Message]) -> Mapping[str, str]:
    """The stream names of a contract's owner, by the key of their events: AGGREGATES of its module."""
    return getattr(sys.modules[cls.__module__], "AGGREGATES", {})


def _body(cls: type[BaseModel]) -> dict[str, Any]:
    """An example value for each field, optional ones included."""
    return {name: _value(info.annotation, doc(cls, name).example) for name, info in cls.model_fields.items()}


def _value(annotation: Any, example: Any = None) -> Any:
    """The example if there is one, else a value that fits the type."""
    if inner := optional(annotation):
        return _value(inner, example)
    if get_origin(annotation) is Annotated:
        return _value(get_args(annotation)[0], example)
    if annotation is Money and example is not None:
        return Money(amount=example).model_dump()
    if example is not None:
        return example
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _body(annotation)
    if get_origin(annotation) is tuple:
        return [_value(get_args(annotation)[0])]
    return _plain(annotation)


def _plain(annotation: Any) -> Any:
    if get_origin(annotation) is Literal:
        return get_args(annotation)[0]
    values = {str: "text", int: 1, bool: True, date: "2026-01-01", AwareDatetime: RECORDED_AT, datetime: RECORDED_AT}
    if annotation not in values:
        raise Unsaid(f"a field of the type {annotation} needs a value to show: Doc(…, example)")
    return values[annotation]
