"""The money of one order: held once, then captured or voided; refunds and supplier costs follow a capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.ledger.domain.chart import is_guarded
from services.ledger.domain.postings import transfer
from shared.contracts import Command, Event, Given, Money, replace, zero
from shared.contracts.ledger import (
    CaptureHold,
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldFunds,
    HoldRefused,
    HoldVoided,
    PostSupplierCost,
    RefundCapture,
    SupplierCostPosted,
    VoidHold,
)


@dataclass(frozen=True)
class Hold:
    """`amount` was held on `account`; `captured` of it was earned for `site`."""

    status: Literal["none", "refused", "held", "captured", "voided"] = "none"
    account: str = ""
    amount: Money = field(default_factory=zero)
    captured: Money = field(default_factory=zero)
    site: str = ""
    refunds: Mapping[str, Money] = field(default_factory=dict)
    costs: tuple[int, ...] = ()

    @property
    def refundable(self) -> Money:
        return self.captured - sum(self.refunds.values(), zero(self.captured.currency))


def decide(command: Command, state: Hold, given: Given) -> list[Event]:
    """Facts: for HoldFunds the Money available on the account, for CaptureHold the commission in basis points."""
    match command:
        case HoldFunds():
            return _hold(command, state, given.facts)
        case CaptureHold():
            return _capture(command, state, given.facts, given.meta.site)
        case VoidHold():
            return _void(command, state)
        case RefundCapture():
            return _refund(command, state)
        case PostSupplierCost():
            return _cost(command, state, given.meta.site)
        case _:
            raise TypeError(f"a hold does not decide {type(command).__name__}")


def evolve(state: Hold, event: Event) -> Hold:
    match event:
        case FundsHeld():
            return replace(state, status="held", account=event.account, amount=event.amount)
        case HoldRefused():
            return replace(state, status="refused")
        case FundsCaptured():
            return replace(state, status="captured", captured=event.amount, site=_site_of(event))
        case HoldVoided():
            return replace(state, status="voided")
        case FundsRefunded():
            return replace(state, refunds={**state.refunds, event.refund_id: event.amount})
        case SupplierCostPosted():
            return replace(state, costs=(*state.costs, event.line))
        case _:
            return state


def _hold(command: HoldFunds, state: Hold, available: Money) -> list[Event]:
    if state.status != "none":
        return []
    if not is_guarded(command.account):
        raise ValueError(f"{command.account} can't pay for an order")
    if command.amount.amount < 0:
        raise ValueError(f"a hold of {command.amount}")
    if available < command.amount:
        refused = HoldRefused(
            order_id=command.order_id, account=command.account, amount=command.amount, available=available
        )
        return [refused]
    return [FundsHeld(order_id=command.order_id, account=command.account, amount=command.amount)]


def _capture(command: CaptureHold, state: Hold, commission_basis_points: int, site: str) -> list[Event]:
    if state.status == "captured":
        return []
    if state.status != "held":
        raise ValueError(f"{command.order_id} has no hold to capture: {state.status}")
    if not zero(state.amount.currency) < command.amount <= state.amount:
        raise ValueError(f"capturing {command.amount} of a hold of {state.amount}")
    postings = transfer(state.account, f"revenue:{site}", command.amount)
    commission = command.amount.share(commission_basis_points)
    if command.agent is not None and commission.amount > 0:
        postings += transfer(f"commission-cost:{site}", f"commission:{command.agent}", commission)
    captured = FundsCaptured(
        order_id=command.order_id,
        account=state.account,
        amount=command.amount,
        released=state.amount - command.amount,
        postings=postings,
    )
    return [captured]


def _void(command: VoidHold, state: Hold) -> list[Event]:
    if state.status != "held":
        return []
    voided = HoldVoided(order_id=command.order_id, account=state.account, amount=state.amount, reason=command.reason)
    return [voided]


def _refund(command: RefundCapture, state: Hold) -> list[Event]:
    if command.refund_id in state.refunds:
        return []
    if state.status != "captured":
        raise ValueError(f"{command.order_id} has nothing captured to refund: {state.status}")
    if not zero(command.amount.currency) < command.amount <= state.refundable:
        raise ValueError(f"refunding {command.amount}, where {state.refundable} is left")
    refunded = FundsRefunded(
        order_id=command.order_id,
        refund_id=command.refund_id,
        account=state.account,
        amount=command.amount,
        postings=transfer(f"refunds:{state.site}", state.account, command.amount),
    )
    return [refunded]


def _cost(command: PostSupplierCost, state: Hold, site: str) -> list[Event]:
    if command.line in state.costs or command.cost.amount == 0:
        return []
    if command.cost.amount < 0:
        raise ValueError(f"a supplier cost of {command.cost}")
    posted = SupplierCostPosted(
        order_id=command.order_id,
        line=command.line,
        supplier=command.supplier,
        cost=command.cost,
        postings=transfer(f"cost:{site}", f"supplier:{command.supplier}", command.cost),
    )
    return [posted]


def _site_of(event: FundsCaptured) -> str:
    """The site whose revenue account the capture credits."""
    return next(p.account.partition(":")[2] for p in event.postings if p.account.startswith("revenue:"))
