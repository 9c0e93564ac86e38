"""The saga that the peers run: who hears what, and what each appends. The same events and hops as the platform's."""

from __future__ import annotations

from collections.abc import Mapping

SERVICES = ("order", "inventory", "fulfillment", "ledger", "risk", "notification", "gateway")
ANY_SERVICE = "SERVICE"
ANSWERS = ("OrderScreened", "KeysReserved", "FundsHeld")
JOINED = "OrderConfirmed"
READABLE = "KeysDelivered"
APPENDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "order": {"PlaceOrder": ("OrderPlaced",), READABLE: ("OrderCompleted",)},
    "risk": {"OrderPlaced": ("OrderScreened",)},
    "inventory": {"OrderPlaced": ("KeysReserved",), READABLE: ("ReservationSettled",)},
    "ledger": {"OrderPlaced": ("FundsHeld",), READABLE: ("FundsCaptured",)},
    "fulfillment": {JOINED: (READABLE,)},
    "notification": {"OrderCompleted": ("BuyerNotified",)},
    "gateway": {},
}
OWNER: Mapping[str, str] = {
    **{event: service for service, heard in APPENDS.items() for events in heard.values() for event in events},
    JOINED: "order",
}


def heard_by(service: str) -> frozenset[str]:
    """The events that a service does something about; the gateway shows them all."""
    if service == "gateway":
        return frozenset(OWNER)
    return frozenset(APPENDS[service]) | (frozenset(ANSWERS) if service == "order" else frozenset())


def sources_of(service: str) -> tuple[str, ...]:
    """The other services that a service listens to."""
    return tuple(sorted({OWNER[event] for event in heard_by(service) if event in OWNER} - {service}))


def database(service: str, peer: str) -> str:
    """The name of a peer service's database."""
    return f"bench_{peer}_{service}"
