"""What a supplier knows: its purchases, and how each of them behaves. No clock, no network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import AnyHttpUrl, BaseModel

from sandboxes.turned_away import TurnedAway
from shared.contracts import Money
from shared.contracts.base import Id, Quantity, Text
from shared.contracts.fulfillment import PurchaseReport

PIECE_COST = 950
OPENING_BALANCE = 100_000_000


class Behaviour(StrEnum):
    OK = "ok"
    SLOW = "slow"
    LATE = "late"
    FAILING = "failing"
    DOWN = "down"
    CALLBACK = "callback"
    TWICE = "twice"
    SILENT = "silent"
    RELENTING = "relenting"


class PurchaseRequest(BaseModel):
    """The body of a request to buy."""

    request_id: Id
    sku: Id
    quantity: Quantity
    target: Text = ""
    callback_url: AnyHttpUrl


@dataclass
class Purchase:
    """A purchase in the supplier's memory. `bought` counts how often it was really bought: at most once. `said_no` says
    whether it ever failed, even if it succeeded later. `goods` are the texts that it delivers: one for each piece,
    unless an account is topped up."""

    request: PurchaseRequest
    behaviour: Behaviour
    outcome: str = "pending"
    reason: str = ""
    arrived: int = 1
    looked_up: int = 0
    bought: int = 0
    said_no: bool = False
    goods: tuple[str, ...] = ()

    def report(self) -> PurchaseReport:
        cost = Money(amount=PIECE_COST * self.request.quantity) if self.outcome == "done" else None
        ref = f"ref-{self.request.request_id}"
        return PurchaseReport.model_validate(
            {"request_id": self.request.request_id, "outcome": self.outcome, "supplier_ref": ref, "cost": cost,
             "reason": self.reason, "goods": self.goods if self.outcome == "done" else ()}
        )  # fmt: skip


@dataclass
class Purchases:
    """The supplier's books. All methods raise TurnedAway."""

    balance: int = OPENING_BALANCE
    _purchases: dict[str, Purchase] = field(default_factory=dict)

    @property
    def all(self) -> Mapping[str, Purchase]:
        """By request id."""
        return self._purchases

    def buy(self, request: PurchaseRequest, behaviour: Behaviour) -> tuple[Purchase, bool]:
        """The purchase of this request id, and whether it is new. One that is known keeps its behaviour."""
        known = self._purchases.get(request.request_id)
        if known is not None:
            known.arrived += 1
            if known.request != request:
                raise TurnedAway(409, "this request id was used for another purchase")
            return known, False
        if behaviour is Behaviour.DOWN:
            raise TurnedAway(503, "down for maintenance")
        purchase = self._purchases[request.request_id] = Purchase(request, behaviour, goods=_goods(request))
        if behaviour in (Behaviour.FAILING, Behaviour.RELENTING):
            self.fail(purchase)
        elif behaviour in (Behaviour.OK, Behaviour.SLOW, Behaviour.LATE):
            self.settle(purchase)
        return purchase, True

    def look_up(self, request_id: str) -> Purchase:
        """Look a purchase up. A `silent` or `relenting` purchase is done at the second look-up."""
        purchase = self._purchases.get(request_id)
        if purchase is None:
            raise TurnedAway(404, "no such purchase")
        purchase.looked_up += 1
        if purchase.looked_up > 1 and purchase.behaviour is Behaviour.SILENT:
            self.settle(purchase)
        if purchase.looked_up > 1 and purchase.behaviour is Behaviour.RELENTING:
            self.relent(purchase)
        return purchase

    def relent(self, purchase: Purchase) -> None:
        """Buy a failed purchase after all, once."""
        if purchase.outcome == "failed":
            purchase.outcome, purchase.reason = "pending", ""
            self.settle(purchase)

    def settle(self, purchase: Purchase) -> None:
        """Buy a pending purchase, once."""
        if purchase.outcome == "pending":
            purchase.outcome = "done"
            purchase.bought += 1
            self.balance -= PIECE_COST * purchase.request.quantity

    def fail(self, purchase: Purchase) -> None:
        """Fail a pending purchase. What was bought stays bought."""
        if purchase.outcome == "pending":
            purchase.outcome, purchase.reason, purchase.said_no = "failed", "out of stock", True


def _goods(request: PurchaseRequest) -> tuple[str, ...]:
    if request.target:
        return ()
    name = hashlib.sha256(request.request_id.encode()).hexdigest()[:12].upper()
    return tuple(f"{name}-{number:04d}" for number in range(1, request.quantity + 1))
