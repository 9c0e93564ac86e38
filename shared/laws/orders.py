"""A paid order is delivered or refunded, to the last unit of money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.contracts.ledger import FundsCaptured, FundsHeld, HoldVoided
from shared.contracts.order import LatePaymentDeclined, OrderCancelled, OrderCompleted, OrderReopened
from shared.eventlog.recorded import Recorded
from shared.laws.finding import Finding, finding


@dataclass(slots=True)
class _Paid:
    held: int
    ended: str = ""
    delivered: int = 0
    captured: int = 0
    freed: int = 0
    ends: int = 0


def paid_ended(order: Iterable[Recorded], ledger: Iterable[Recorded], *, drained: bool = True) -> Finding:
    """PaidTerminal and OneCapture: each order whose money was held ended once, what was delivered was captured, and
    the rest is free again.

    Of a system at work (`drained` False) orders under way are only counted: their end is still to come.
    """
    paid: dict[str, _Paid] = {}
    for recorded in ledger:
        match recorded.event if recorded.name in _MONEY else None:
            case FundsHeld(order_id=order_id, amount=amount):
                paid[order_id] = _Paid(amount.amount)
            case FundsCaptured(order_id=order_id, amount=amount, released=released):
                paid[order_id].captured += amount.amount
                paid[order_id].freed += released.amount
                paid[order_id].ends += 1
            case HoldVoided(order_id=order_id, amount=amount):
                paid[order_id].freed += amount.amount
                paid[order_id].ends += 1
            case _:
                pass
    for recorded in order:
        match recorded.event if recorded.name in _ENDS else None:
            case OrderCompleted(order_id=order_id, delivered=delivered) if order_id in paid:
                paid[order_id].ended, paid[order_id].delivered = "completed", delivered.amount
            case OrderCancelled(order_id=order_id) | LatePaymentDeclined(order_id=order_id) if order_id in paid:
                paid[order_id].ended = "cancelled"
            case OrderReopened(order_id=order_id) if order_id in paid:
                paid[order_id].ended = ""
            case _:
                pass
    under_way = [order_id for order_id, money in paid.items() if not money.ended or not money.ends]
    complaints = {order_id: _complaint(money) for order_id, money in paid.items()}
    if not drained:
        complaints = {order_id: said for order_id, said in complaints.items() if order_id not in set(under_way)}
    broken = [f"{order_id}: {said}" for order_id, said in complaints.items() if said]
    return finding("PaidTerminal", len(paid), broken, under_way=len(under_way))


def _complaint(money: _Paid) -> str:
    if not money.ended:
        return "paid and not ended"
    if money.ends != 1:
        return f"its hold ended {money.ends} times"
    if money.captured != money.delivered:
        return f"{money.delivered} delivered and {money.captured} captured"
    if money.captured + money.freed != money.held:
        return f"{money.held} held, {money.captured} captured, {money.freed} freed"
    return ""


_MONEY = {cls.__name__ for cls in (FundsHeld, FundsCaptured, HoldVoided)}
_ENDS = {cls.__name__ for cls in (OrderCompleted, OrderCancelled, LatePaymentDeclined, OrderReopened)}
