"""Statements of suppliers that differ from what was known: late successes, second statements, doubtful goods or bills.

Each is recorded as an event. So is a report about a purchase that was never ordered. The bill of a statement is booked
once for each purchase, as a claim against the supplier, until a person settles it.
"""

from __future__ import annotations

from services.fulfillment.domain.state import Delivery, Said, Statement
from shared.contracts import Decided, Event, Money, Refused, zero
from shared.contracts.fulfillment import (
    Finding,
    RecordPurchase,
    SettleStatement,
    SupplierClaimWon,
    SupplierReportRefused,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    WinClaim,
    purchase_request_id,
)
from shared.contracts.order import OrderLine

# A cost above both is left to a person: this many times the line's price, and this many minor units.
MOST_TIMES_THE_PRICE = 10
NEVER_ABSURD_BELOW = 100_000
# The most reports of one supplier that a delivery keeps in its state, with all their texts.
MOST_REPORTS = 20


def is_doubtful(cost: Money | None, line: OrderLine, booked: Money | None = None) -> bool:
    """Whether a person must check a bill before it is booked: it is missing, negative, in another currency than the
    sale, absurdly high, or zero for a line that was sold for money and is not listed as free. A bill of zero is fine if
    one is already `booked`."""
    if cost is None or cost.amount < 0 or cost.currency != line.amount.currency:
        return True
    if cost.amount == 0:
        is_booked = booked is not None and booked.amount > 0
        return line.amount.amount > 0 and not line.costs_nothing and not is_booked
    return cost.amount > max(MOST_TIMES_THE_PRICE * line.amount.amount, NEVER_ABSURD_BELOW)


def charges(command: RecordPurchase) -> bool:
    """Whether the supplier names a cost for a failed purchase."""
    return command.outcome == "failed" and command.cost is not None and command.cost.amount != 0


def late(command: RecordPurchase, state: Delivery, line: OrderLine) -> list[Event]:
    """Record a statement about a purchase that is no longer open. A repetition and `pending` change nothing."""
    bought = state.purchases[command.supplier]
    if command.outcome == "pending" or bought.has_said(Said.of(command)):
        return []
    if command.outcome == "done":
        return [done(command, state, line)]
    finding: Finding = "doubtful-cost" if charges(command) else "agrees"
    if bought.is_done or state.delivered_by_hand:
        finding = "late-failure"
    return [record(command, state, line, finding, booked=bought.booked)]


def done(command: RecordPurchase, state: Delivery, line: OrderLine, doubt: str = "") -> Event:
    """Record that a purchase was done too late, or that the goods of an open one are in `doubt`. Its bill is
    claimed."""
    bought = state.purchases[command.supplier]
    cost = command.cost
    if cost is None or is_doubtful(cost, line, bought.booked):
        return record(command, state, line, "doubtful-cost", booked=bought.booked, doubt=doubt)
    extra = cost if bought.booked is None else cost - bought.booked
    bill = extra if extra.amount > 0 else None
    finding: Finding = "doubtful-goods" if doubt else "late-success"
    if bought.is_done and extra.amount:
        finding = "other-cost"
    elif (last := bought.last) and last.outcome == "done":
        finding = "other-reference" if last.cost == cost else "other-cost"
    return record(command, state, line, finding, bill=bill, booked=bought.booked, doubt=doubt)


def record(
    command: RecordPurchase,
    state: Delivery,
    line: OrderLine,
    finding: Finding,
    *,
    bill: Money | None = None,
    booked: Money | None = None,
    doubt: str = "",
) -> SupplierStatementRecorded:
    """The event that records a statement."""
    return SupplierStatementRecorded(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        sku=line.sku,
        supplier=command.supplier,
        request_id=purchase_request_id(command.delivery_id, command.supplier),
        statement=len(state.statements) + 1,
        finding=finding,
        outcome=command.outcome,
        supplier_ref=command.supplier_ref,
        cost=command.cost,
        reason=command.reason,
        bill=bill,
        booked=booked,
        goods=command.goods,
        doubt=doubt,
    )


def unasked(command: RecordPurchase, state: Delivery) -> Decided:
    """Record a report about a purchase that was never ordered from its supplier, unless it repeats the latest report.

    Answers {"outcome": "refused"} and the reason: `wrong-supplier`, or `too-many-reports` for a report that is not
    kept."""
    refused = SupplierReportRefused(
        delivery_id=command.delivery_id,
        order_id=state.order_id or None,
        supplier=command.supplier,
        request_id=purchase_request_id(command.delivery_id, command.supplier),
        outcome=command.outcome,
        supplier_ref=command.supplier_ref,
        cost=command.cost,
        reason=command.reason,
        goods=command.goods,
    )
    last = state.reports[-1] if state.reports else None
    is_repeated = last is not None and (last.supplier, last.said) == (command.supplier, Said.of_report(refused))
    if not is_repeated and sum(one.supplier == command.supplier for one in state.reports) >= MOST_REPORTS:
        return Decided(answer={"outcome": "refused", "reason": "too-many-reports"})
    return Decided([] if is_repeated else [refused], {"outcome": "refused", "reason": "wrong-supplier"})


def settle(command: SettleStatement, state: Delivery) -> list[Event]:
    """Refuses `unknown-statement`, `already-settled`, `cost-known` and `wrong-cost`."""
    statement, line = _known(command, state)
    lost_claim = statement.settled == "claim" and command.decision == "cost"
    if statement.finding == "agrees" or (statement.settled is not None and not lost_claim):
        raise Refused("already-settled", "this statement is already settled")
    bill = _named_bill(command, state, statement)
    settled = SupplierStatementSettled(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        supplier=statement.supplier,
        request_id=purchase_request_id(command.delivery_id, statement.supplier),
        statement=command.statement,
        decision=command.decision,
        bill=bill,
        moved=_moved(command, state, statement) if bill is None else bill,
        note=command.note,
    )
    return [settled]


def win(command: WinClaim, state: Delivery) -> list[Event]:
    """Refuses `unknown-statement`, `already-settled` and `not-claimed`."""
    statement, line = _known(command, state)
    if statement.finding == "agrees" or statement.settled in ("cost", "won"):
        raise Refused("already-settled", "this statement is already settled")
    if statement.settled is None:
        raise Refused("not-claimed", "only a claim can be won; claim it first")
    won = SupplierClaimWon(
        delivery_id=command.delivery_id,
        order_id=state.order_id,
        line=line.line,
        supplier=statement.supplier,
        request_id=purchase_request_id(command.delivery_id, statement.supplier),
        statement=command.statement,
        amount=statement.claimed,
        note=command.note,
    )
    return [won]


def _known(command: SettleStatement | WinClaim, state: Delivery) -> tuple[Statement, OrderLine]:
    if not 1 <= command.statement <= len(state.statements) or state.line is None:
        raise Refused("unknown-statement", "there is no such statement of a supplier", status=404)
    return state.statements[command.statement - 1], state.line


def _named_bill(command: SettleStatement, state: Delivery, statement: Statement) -> Money | None:
    """The amount to book for a doubtful bill, None for nothing. A person names the true cost; what is already booked
    for the purchase is subtracted."""
    cost = command.cost
    if cost is None:
        return None
    if statement.finding != "doubtful-cost" or command.decision != "cost":
        raise Refused("cost-known", "only a doubtful bill that the shop bears is given a cost", status=422)
    line = state.line
    if line is None or cost.amount <= 0 or cost.currency != line.amount.currency:
        raise Refused("wrong-cost", "a cost is a positive amount in the currency of the sale", status=422)
    booked = state.purchases[statement.supplier].booked
    extra = cost if booked is None else cost - booked
    return extra if extra.amount > 0 else None


def _moved(command: SettleStatement, state: Delivery, statement: Statement) -> Money | None:
    """The amount that a decision moves. A bill that the shop bears leaves the claims; if the supplier took a success
    back, the amount leaves the costs."""
    if command.decision == "cost":
        return statement.claimed
    booked = state.purchases[statement.supplier].booked
    if statement.finding != "late-failure" or booked is None:
        return None
    claimed = (other.claimed for other in state.statements if other.supplier == statement.supplier)
    borne = booked - sum((money for money in claimed if money), zero(booked.currency))
    return borne if borne.amount > 0 else None
