"""What people see on their screens: events, as soon as they are durable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from shared.contracts import Event
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryResolved,
    KeysDelivered,
    SupplierClaimWon,
    SupplierDelivered,
    SupplierStatementRecorded,
    SupplierStatementSettled,
)
from shared.contracts.gateway import StatementUnread, UnreadSettled
from shared.contracts.inventory import ProductListed
from shared.contracts.ledger import (
    PaymentOpened,
    PaymentReturned,
    PaymentUnmatched,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    UnmatchedSettled,
)
from shared.contracts.order import OrderCompleted
from shared.contracts.risk import CaseClosed, CaseDecided, CaseOpened
from shared.eventstore.recorded import RecordedEvent

SHOWN = {
    kind.__name__
    for kind in (
        CaseClosed,
        CaseDecided,
        CaseOpened,
        DeliveryFailed,
        DeliveryHandedOver,
        DeliveryResolved,
        KeysDelivered,
        OrderCompleted,
        PaymentOpened,
        PaymentReturned,
        PaymentUnmatched,
        ProductListed,
        ReturnedByHand,
        ReturnFailed,
        ReturnRequested,
        StatementUnread,
        SupplierClaimWon,
        SupplierDelivered,
        SupplierStatementRecorded,
        SupplierStatementSettled,
        UnmatchedSettled,
        UnreadSettled,
    )
}
E = TypeVar("E", bound=Event)
Act = Callable[[Any], object]


class Window:
    """`committed` must get every event of every log."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Event] = {}
        self._once: dict[tuple[str, str], list[Act]] = defaultdict(list)
        self._always: dict[str, list[Act]] = defaultdict(list)

    def committed(self, recorded: RecordedEvent) -> None:
        if recorded.name not in SHOWN:
            return
        event = recorded.event
        key = recorded.name, event.partition_key()
        self._seen[key] = event
        for act in (*self._once.pop(key, ()), *self._always[recorded.name]):
            act(event)

    def when(self, kind: type[E], key: str, act: Callable[[E], object]) -> None:
        """Act on the first such event of this partition key, now if it is there already."""
        assert kind.__name__ in SHOWN
        seen = self._seen.get((kind.__name__, key))
        if seen is None:
            self._once[kind.__name__, key].append(act)
        elif isinstance(seen, kind):
            act(seen)

    def every(self, kind: type[E], act: Callable[[E], object]) -> None:
        """Act on every such event from now on."""
        assert kind.__name__ in SHOWN
        self._always[kind.__name__].append(act)

    def seen(self, kind: type[E], key: str) -> E | None:
        """The latest such event of this partition key."""
        seen = self._seen.get((kind.__name__, key))
        return seen if isinstance(seen, kind) else None
