"""The published language: every command and event of every service, typed and versioned, one module an owner."""

from shared.contracts import fulfillment, gateway, inventory, ledger, notification, order, risk
from shared.contracts.base import (
    Command,
    CurrencyMismatch,
    Event,
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
    events,
    upcaster,
)
from shared.contracts.states import replace

__all__ = [
    "Call",
    "Cancel",
    "Command",
    "CurrencyMismatch",
    "Decided",
    "Event",
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
    "events",
    "fulfillment",
    "gateway",
    "inventory",
    "ledger",
    "notification",
    "order",
    "replace",
    "risk",
    "upcaster",
    "zero",
]
