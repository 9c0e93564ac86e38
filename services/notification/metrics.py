"""Prometheus metrics of messages to people."""

from __future__ import annotations

from shared.contracts.notification import MessageFailed, MessageGathered, MessageQueued, MessageSent, MessageWithheld
from shared.telemetry.event_counters import Counters, always
from shared.telemetry.metric import Section

HAPPENED = Section("Business: events")
NOTIFICATIONS = HAPPENED.metric(
    "notifications_total",
    "counter",
    "messages",
    "outcome",
    "Messages to people: queued, sent, failed, withheld, gathered.",
)

COUNTERS = Counters(
    by_event={
        MessageQueued: always(NOTIFICATIONS, "queued"),
        MessageSent: always(NOTIFICATIONS, "sent"),
        MessageFailed: always(NOTIFICATIONS, "failed"),
        MessageGathered: always(NOTIFICATIONS, "gathered"),
        MessageWithheld: always(NOTIFICATIONS, "withheld"),
    },
    zeros={NOTIFICATIONS: [("queued",), ("sent",), ("failed",)]},
)
