"""Test events. They look like other events, and stand in no log."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from services.gateway.webhooks.snapshot import PING, Delivery

TYPE = "kameng.webhook.ping.v1"


def ping(event_id: str) -> Delivery:
    return Delivery(event_id, PING, 0, TYPE)


def ping_body(delivery: Delivery, now: datetime) -> str:
    """The body to post: a CloudEvent in structured mode."""
    event = {
        "specversion": "1.0",
        "id": delivery.event_id,
        "source": "/kameng/gateway",
        "type": delivery.type,
        "time": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {},
    }
    return json.dumps(event)
