"""The published language: every command and event of every service, typed and versioned, one module an owner."""

from shared.contracts import fulfillment, gateway, inventory, ledger, notification, order, risk
from shared.contracts.base import (
    Command,
    CurrencyMismatch,
    Event,
    Former,
    Message,
    Metadata,
    Money,
    Value,
    zero,
)
from shared.contracts.decision import Call, Cancel, Decided, Given, Later, Plan, Planner, Reaction, Refused
from shared.contracts.registry import (
    UnknownMessage,
    commands,
    decode_command,
    decode_event,
    downcaster,
    events,
    upcaster,
)

__all__ = [
    "Call",
    "Cancel",
    "Command",
    "CurrencyMismatch",
    "Decided",
    "Event",
    "Former",
    "Given",
    "Later",
    "Message",
    "Metadata",
    "Money",
    "Plan",
    "Planner",
    "Reaction",
    "Refused",
    "UnknownMessage",
    "Value",
    "commands",
    "decode_command",
    "decode_event",
    "downcaster",
    "events",
    "fulfillment",
    "gateway",
    "inventory",
    "ledger",
    "notification",
    "order",
    "risk",
    "upcaster",
    "zero",
]
