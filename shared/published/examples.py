"""A golden example of each version of an event: the whole message, as a publisher sends it."""

from __future__ import annotations

import json
import types
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import NAMESPACE_URL, uuid5

from pydantic import AwareDatetime, BaseModel, ValidationError

from shared.broker.cloudevents import cloud_event, message_of
from shared.contracts import Metadata, Money
from shared.eventstore.recorded import RecordedEvent
from shared.published.kinds import Kind
from shared.published.schemas import Unsaid
from shared.published.words import word

RECORDED_AT = datetime(2026, 1, 1, 8, 0, 1, tzinfo=UTC)
POSITION = 42
# What a stream is called by: the aggregate of the events with this owner and key.
AGGREGATES = {
    ("fulfillment", "delivery_id"): "delivery",
    ("gateway", "customer"): "customer",
    ("gateway", "endpoint_id"): "webhook-endpoint",
    ("gateway", "import_id"): "import",
    ("gateway", "order_id"): "opening",
    ("gateway", "statement_id"): "statement",
    ("gateway", "username"): "staff",
    ("inventory", "delivery_id"): "supply",
    ("inventory", "sku"): "product",
    ("ledger", "entry_id"): "entry",
    ("ledger", "order_id"): "hold",
    ("ledger", "payment_id"): "payment",
    ("notification", "message_id"): "message",
    ("order", "order_id"): "order",
    ("risk", "entry"): "list-entry",
    ("risk", "order_id"): "screening",
}


def example(kind: Kind) -> dict[str, Any]:
    """The message: its routing key, its headers, its content type, and its body as JSON. Raises Unsaid."""
    try:
        event = kind.cls.model_validate(_body(kind.name, kind.cls) | ({"log": kind.log} if kind.log else {}))
    except ValidationError as error:
        fields = ", ".join(".".join(str(part) for part in one["loc"]) for one in error.errors())
        raise Unsaid(f"{kind.key}: the values in shared/published/words.py do not fit: {fields}") from None
    aggregate = "log" if kind.log else AGGREGATES.get((kind.owner, kind.cls.key))
    if aggregate is None:
        raise Unsaid(f"shared/published/examples.py needs the aggregate of {kind.owner} that {kind.cls.key} names")
    stream = f"{aggregate}-{event.partition_key()}"
    meta = Metadata(correlation_id=_id("flow"), causation_id=_id(kind.key, "cause"), actor="system")
    recorded = RecordedEvent(
        kind.owner, POSITION, stream, 1, _id(kind.key), kind.cls.type(), event.model_dump_json(),
        meta.model_dump_json(), RECORDED_AT,
    )  # fmt: skip
    sent = message_of(recorded, cloud_event(recorded, event, kind.beside))
    return {
        "routing_key": sent.key,
        "headers": sent.properties.headers,
        "content_type": sent.properties.content_type,
        "body": json.loads(sent.body),
    }


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(("urn:kameng:example", *parts))))


def _body(name: str, cls: type[BaseModel]) -> dict[str, Any]:
    """A value for each field, the optional ones too."""
    return {field: _value(name, field, info.annotation) for field, info in cls.model_fields.items()}


def _value(cls: str, field: str, annotation: Any) -> Any:
    said = word(cls, field)
    value = said.value if said else None
    origin, arguments = get_origin(annotation), [one for one in get_args(annotation) if one is not type(None)]
    is_optional = origin in (Union, types.UnionType) and len(arguments) == 1
    if origin is Annotated or is_optional:
        return _value(cls, field, arguments[0])
    if annotation is Money:
        return {"amount": value, "currency": "CNY"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _body(annotation.__name__, annotation)
    if origin is tuple and value is None:
        return [_value(cls, field, arguments[0])]
    return _plain(annotation) if value is None else value


def _plain(annotation: Any) -> Any:
    if get_origin(annotation) is Literal:
        return get_args(annotation)[0]
    values = {str: "text", int: 1, bool: True, date: "2026-01-01", AwareDatetime: RECORDED_AT, datetime: RECORDED_AT}
    if annotation not in values:
        raise Unsaid(f"shared/published/words.py has no value for a field of the type {annotation}")
    return values[annotation]
