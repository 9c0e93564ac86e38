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


class Wanted(BaseModel):
    """A purchase as asked for."""

    request_id: Id
    sku: Id
    quantity: Quantity
    target: Text = ""
    callback_url: AnyHttpUrl


@dataclass
class Purchase:
    """A purchase as the supplier keeps it. `bought` counts how often it was really bought: once at most; `said_no`
    tells whether it ever failed, even if it came about later. `goods` are the texts that it delivers: one a piece where
    nobody's account is topped up."""

    wanted: Wanted
    behaviour: Behaviour
    outcome: str = "pending"
    reason: str = ""
    arrived: int = 1
    looked_up: int = 0
    bought: int = 0
    said_no: bool = False
    goods: tuple[str, ...] = ()

    def report(self) -> PurchaseReport:
        cost = Money(amount=PIECE_COST * self.wanted.quantity) if self.outcome == "done" else None
        ref = f"ref-{self.wanted.request_id}"
        return PurchaseReport.model_validate(
            {"request_id": self.wanted.request_id, "outcome": self.outcome, "supplier_ref": ref, "cost": cost,
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

    def buy(self, wanted: Wanted, behaviour: Behaviour) -> tuple[Purchase, bool]:
        """The purchase of this request id, and whether it is new. One that is known keeps its behaviour."""
        known = self._purchases.get(wanted.request_id)
        if known is not None:
            known.arrived += 1
            if known.wanted != wanted:
                raise TurnedAway(409, "this request id was used for another purchase")
            return known, False
        if behaviour is Behaviour.DOWN:
            raise TurnedAway(503, "down for maintenance")
        purchase = self._purchases[wanted.request_id] = Purchase(wanted, behaviour, goods=_goods(wanted))
        if behaviour in (Behaviour.FAILING, Behaviour.RELENTING):
            self.fail(purchase)
        elif behaviour in (Behaviour.OK, Behaviour.SLOW, Behaviour.LATE):
            self.settle(purchase)
        return purchase, True

    def look_up(self, request_id: str) -> Purchase:
        """A silent purchase is done when looked up for the second time, and so is one whose supplier relents."""
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
        """Buy after all what had failed, once."""
        if purchase.outcome == "failed":
            purchase.outcome, purchase.reason = "pending", ""
            self.settle(purchase)

    def settle(self, purchase: Purchase) -> None:
        """Buy what is pending, once."""
        if purchase.outcome == "pending":
            purchase.outcome = "done"
            purchase.bought += 1
            self.balance -= PIECE_COST * purchase.wanted.quantity

    def fail(self, purchase: Purchase) -> None:
        """It will certainly not come about; what was bought stays bought."""
        if purchase.outcome == "pending":
            purchase.outcome, purchase.reason, purchase.said_no = "failed", "out of stock", True


def _goods(wanted: Wanted) -> tuple[str, ...]:
    if wanted.target:
        return ()
    name = hashlib.sha256(wanted.request_id.encode()).hexdigest()[:12].upper()
    return tuple(f"{name}-{number:04d}" for number in range(1, wanted.quantity + 1))
