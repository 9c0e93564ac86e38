"""The money of one order. It is held once, then captured or voided. Refunds and bills of suppliers follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.ledger.domain.chart import is_guarded
from services.ledger.domain.postings import transfer
from shared.contracts import Command, DecisionContext, Event, Money, replace, zero
from shared.contracts.ledger import (
    CaptureHold,
    CreditSupplierClaim,
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldFunds,
    HoldRefused,
    HoldVoided,
    MoveSupplierClaim,
    PostSupplierBill,
    PostSupplierCost,
    RefundCapture,
    SupplierBillPosted,
    SupplierClaimCredited,
    SupplierClaimMoved,
    SupplierCostPosted,
    VoidHold,
)


@dataclass(frozen=True, slots=True)
class Hold:
    """The hold of an order: `amount` on `account`. `captured` of it was earned for `site`, and gave `agent` a
    `commission`."""

    status: Literal["none", "refused", "held", "captured", "voided"] = "none"
    account: str = ""
    amount: Money = field(default_factory=zero)
    captured: Money = field(default_factory=zero)
    site: str = ""
    agent: str = ""
    commission: Money = field(default_factory=zero)
    refunds: Mapping[str, Money] = field(default_factory=dict)
    costs: tuple[int, ...] = ()
    bills: frozenset[str] = frozenset()

    @property
    def refundable(self) -> Money:
        return self.captured - sum(self.refunds.values(), zero(self.captured.currency))

    def taken_back(self, refund: Money) -> Money:
        """The part of the commission that this refund takes back. The rest of the commission is the share of the rest
        of the capture, rounded down, so that all parts add up to the whole."""
        left = self.refundable
        before, after = (self.commission.amount * part.amount for part in (left, left - refund))
        whole = self.captured.amount
        return Money(amount=before // whole - after // whole, currency=self.captured.currency)


def decide_hold(command: Command, state: Hold, given: DecisionContext) -> list[Event]:
    """Facts: for HoldFunds the Money available on the account, for CaptureHold the commission in basis points, for
    CreditSupplierClaim the Money that the shop owes the supplier."""
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
        case PostSupplierBill():
            return _bill(command, state)
        case MoveSupplierClaim():
            return _claim(command, state, given.meta.site)
        case CreditSupplierClaim():
            return _credit(command, state, given.facts)
        case _:
            raise TypeError(f"a hold does not decide {type(command).__name__}")


def evolve_hold(state: Hold, event: Event) -> Hold:
    match event:
        case FundsHeld():
            return replace(state, status="held", account=event.account, amount=event.amount)
        case HoldRefused():
            return replace(state, status="refused")
        case FundsCaptured():
            agent, commission = _commission_of(event)
            return replace(
                state,
                status="captured",
                captured=event.amount,
                site=_name_of(event, "revenue:"),
                agent=agent,
                commission=commission,
            )
        case HoldVoided():
            return replace(state, status="voided")
        case FundsRefunded():
            return replace(state, refunds={**state.refunds, event.refund_id: event.amount})
        case SupplierCostPosted():
            return replace(state, costs=(*state.costs, event.line))
        case SupplierBillPosted():
            return replace(state, bills=state.bills | {event.bill_id})
        case SupplierClaimMoved():
            return replace(state, bills=state.bills | {_moved(event)})
        case SupplierClaimCredited():
            return replace(state, bills=state.bills | {_credited(event)})
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
    postings = transfer(f"refunds:{state.site}", state.account, command.amount)
    if (commission := state.taken_back(command.amount)).amount > 0:
        postings += transfer(f"commission:{state.agent}", f"commission-cost:{state.site}", commission)
    refunded = FundsRefunded(
        order_id=command.order_id,
        refund_id=command.refund_id,
        account=state.account,
        amount=command.amount,
        postings=postings,
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


def _bill(command: PostSupplierBill, state: Hold) -> list[Event]:
    if command.bill_id in state.bills:
        return []
    if command.amount.amount <= 0:
        raise ValueError(f"a supplier bill of {command.amount}")
    postings = transfer(f"claims:{command.supplier}", f"supplier:{command.supplier}", command.amount)
    return [SupplierBillPosted(**dict(command), postings=postings)]


def _claim(command: MoveSupplierClaim, state: Hold, site: str) -> list[Event]:
    if _moved(command) in state.bills:
        return []
    if command.amount.amount <= 0:
        raise ValueError(f"a claim of {command.amount}")
    claims, cost = f"claims:{command.supplier}", f"cost:{site}"
    debit, credit = (cost, claims) if command.decision == "cost" else (claims, cost)
    return [SupplierClaimMoved(**dict(command), postings=transfer(debit, credit, command.amount))]


def _credit(command: CreditSupplierClaim, state: Hold, owed: Money) -> list[Event]:
    """Keep the credit from what the supplier is owed. If too little is owed, the supplier pays the rest back by
    hand."""
    if _credited(command) in state.bills:
        return []
    if command.amount.amount <= 0:
        raise ValueError(f"a credit of {command.amount}")
    claims, kept = f"claims:{command.supplier}", max(zero(owed.currency), min(owed, command.amount))
    postings = transfer(f"supplier:{command.supplier}", claims, kept) if kept.amount else ()
    if (rest := command.amount - kept).amount:
        postings += transfer(f"by-hand:{command.supplier}", claims, rest)
    return [SupplierClaimCredited(**dict(command), postings=postings)]


def _credited(message: CreditSupplierClaim | SupplierClaimCredited) -> str:
    return f"{message.bill_id} won"


def _moved(message: MoveSupplierClaim | SupplierClaimMoved) -> str:
    return f"{message.bill_id} {message.decision}"


def _name_of(event: FundsCaptured, kind: str) -> str:
    """The name in the account of this kind that the capture posts to."""
    return next(p.account.partition(":")[2] for p in event.postings if p.account.startswith(kind))


def _commission_of(event: FundsCaptured) -> tuple[str, Money]:
    """Who earned a commission on the capture, and how much; nobody and nothing where there is none."""
    earned = [p for p in event.postings if p.account.startswith("commission:")]
    if not earned:
        return "", zero(event.amount.currency)
    return earned[0].account.partition(":")[2], -earned[0].amount
