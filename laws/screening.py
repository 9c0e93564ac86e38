"""ScreenedOnly: nothing that risk stopped is delivered."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.fulfillment import DeliveryResolved, KeysDelivered, SupplierDelivered
from shared.contracts.order import OrderConfirmed, OrderReopened, ScreeningRecorded
from shared.contracts.risk import CaseDecided, Decision, OrderScreened
from shared.laws.compact import Marks
from shared.laws.law import Handlers, Law

_PASS, _BLOCK, _SCREENED, _HEARD_PASS, _HEARD_BLOCK, _CONFIRMED, _DELIVERED = 1, 2, 4, 8, 16, 32, 64


class ScreenedOnly(Law):
    """Only orders that risk has passed are delivered: none that is blocked, and none under review without a person's
    pass.

    An order is confirmed once, after it recorded the pass, and never confirmed or reopened after it recorded a block.
    """

    name = "ScreenedOnly"

    def __init__(self) -> None:
        super().__init__()
        self._orders = Marks()
        self._unscreened: set[str] = set()
        self._unconfirmed: set[str] = set()

    def handlers(self) -> Handlers:
        return {
            OrderScreened: self._screened,
            CaseDecided: lambda event: self._decided(event.order_id, event.decision),
            ScreeningRecorded: self._heard,
            OrderConfirmed: self._confirmed,
            OrderReopened: self._reopened,
            KeysDelivered: lambda event: self._delivered(event.order_id),
            SupplierDelivered: lambda event: self._delivered(event.order_id),
            DeliveryResolved: lambda event: self._delivered(event.order_id),
        }

    def unfinished(self) -> Iterator[str]:
        for order_id in self._unscreened:
            yield f"{order_id} was delivered, and risk never let it pass"
        for order_id in self._unconfirmed:
            yield f"{order_id} was delivered and never confirmed"

    def _knows(self, order_id: str, what: int) -> bool:
        return bool((self._orders.get(order_id) or 0) & what)

    def _note(self, order_id: str, what: int) -> None:
        if not self._orders.add(order_id, what) and not self._knows(order_id, what):
            self._orders.change(order_id, what)

    def _screened(self, event: OrderScreened) -> None:
        if self._knows(event.order_id, _SCREENED):
            self.broken(f"{event.order_id} was screened twice")
        self._note(event.order_id, _SCREENED)
        self._decided(event.order_id, event.decision)

    def _decided(self, order_id: str, decision: Decision) -> None:
        if decision == "block":
            self._note(order_id, _BLOCK)
            if self._knows(order_id, _DELIVERED):
                self.broken(f"{order_id} is blocked by risk and was delivered")
        elif decision == "pass":
            self._note(order_id, _PASS)
            self._unscreened.discard(order_id)

    def _heard(self, event: ScreeningRecorded) -> None:
        heard = {"pass": _HEARD_PASS, "block": _HEARD_BLOCK}.get(event.decision)
        if heard is None:
            return
        if self._knows(event.order_id, _HEARD_PASS | _HEARD_BLOCK):
            self.broken(f"{event.order_id} heard twice what was decided")
        self._note(event.order_id, heard)

    def _confirmed(self, event: OrderConfirmed) -> None:
        if self._knows(event.order_id, _CONFIRMED):
            self.broken(f"{event.order_id} was confirmed twice")
        self._note(event.order_id, _CONFIRMED)
        self._unconfirmed.discard(event.order_id)
        if self._knows(event.order_id, _HEARD_BLOCK):
            self.broken(f"{event.order_id} is blocked and was confirmed")
        elif not self._knows(event.order_id, _HEARD_PASS):
            self.broken(f"{event.order_id} was confirmed before it was let pass")

    def _reopened(self, event: OrderReopened) -> None:
        if self._knows(event.order_id, _HEARD_BLOCK):
            self.broken(f"{event.order_id} is blocked and was reopened")

    def _delivered(self, order_id: str) -> None:
        if self._knows(order_id, _DELIVERED):
            return
        self.checked += 1
        self._note(order_id, _DELIVERED)
        if not self._knows(order_id, _CONFIRMED):
            self._unconfirmed.add(order_id)
        if self._knows(order_id, _BLOCK):
            self.broken(f"{order_id} is blocked by risk and was delivered")
        elif not self._knows(order_id, _PASS):
            self._unscreened.add(order_id)
