"""Every service by its name; what it declares is imported when it is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.hosting.service import Service

NAMES = ("order", "inventory", "fulfillment", "ledger", "risk", "notification", "gateway")

# Known here without importing what they declare; a test holds the two together.
READERS = {
    "order": ("inventory", "fulfillment", "ledger", "risk", "notification", "gateway"),
    "inventory": ("order", "fulfillment", "notification", "gateway"),
    "fulfillment": ("order", "inventory", "ledger", "notification", "gateway"),
    "ledger": ("order", "notification", "gateway"),
    "risk": ("order", "notification", "gateway"),
    "notification": ("gateway",),
    "gateway": ("notification",),
}


def declaration_of(name: str) -> str:
    """Where a service is declared, as module:name."""
    return f"services.{name}.service:SERVICE"


@cache
def all_services() -> tuple[Service, ...]:
    """The declarations of all of them."""
    found = []
    for name in NAMES:
        module, _, attribute = declaration_of(name).partition(":")
        found.append(getattr(import_module(module), attribute))
    return tuple(found)
