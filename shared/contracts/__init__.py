"""The published language: every command and event of every service, typed and versioned, one module an owner."""

from importlib import import_module
from pkgutil import iter_modules

from shared.contracts.base import (
    ESSENTIAL,
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
from shared.contracts.decision import (
    CallExternal,
    Cancel,
    Decided,
    DecisionContext,
    Plan,
    Planner,
    Reaction,
    Refused,
    ScheduleCommand,
    Shop,
)
from shared.contracts.lost import PositionLost
from shared.contracts.registry import (
    UnknownMessage,
    check_event,
    commands,
    decode_command,
    decode_event,
    downcaster,
    events,
    is_event,
    owner_of,
    upcaster,
)
from shared.contracts.states import replace

# Every module, so that whatever is stored can be found by its name.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

OWNERS = tuple(sorted({event.owner for event in events().values() if event.__module__.startswith(f"{__name__}.")}))
"""The services that have a log, by name."""

__all__ = [
    "ESSENTIAL",
    "OWNERS",
    "CallExternal",
    "Cancel",
    "Command",
    "CurrencyMismatch",
    "Decided",
    "DecisionContext",
    "Event",
    "Former",
    "Message",
    "Metadata",
    "Money",
    "Plan",
    "Planner",
    "PositionLost",
    "Reaction",
    "Refused",
    "ScheduleCommand",
    "Shop",
    "UnknownMessage",
    "Value",
    "check_event",
    "commands",
    "decode_command",
    "decode_event",
    "downcaster",
    "events",
    "is_event",
    "owner_of",
    "replace",
    "upcaster",
    "zero",
]
