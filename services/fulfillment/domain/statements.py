"""What suppliers say that does not fit: late successes, second statements, goods in doubt, bills that nobody believes.

Each is an event, and so is what a supplier says that was never asked. A statement's bill is booked once a purchase, as
a claim against the supplier, until a person settles it.
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

# A cost beyond both is recorded and left to a person: so many times the line's price, so many minor units.
MOST_TIMES_THE_PRICE = 10
NEVER_ABSURD_BELOW = 100_000
# So many reports of one supplier that was never asked are kept of a delivery, in its state with all their texts.
MOST_REPORTS = 20


def is_doubtful(cost: Money | None, line: OrderLine, booked: Money | None = None) -> bool:
    """Whether a bill may not be booked unseen: none, negative, of another currency than the sale's, absurd, or nothing
    for what was sold for money and is not listed as costing nothing. Where a bill is `booked`, nothing corrects it."""
    if cost is None or cost.amount < 0 or cost.currency != line.amount.currency:
        return True
    if cost.amount == 0:
        is_booked = booked is not None and booked.amount > 0
        return line.amount.amount > 0 and not line.costs_nothing and not is_booked
    return cost.amount > max(MOST_TIMES_THE_PRICE * line.amount.amount, NEVER_ABSURD_BELOW)


def charges(command: RecordPurchase) -> bool:
    """Whether a supplier that has not delivered names a cost all the same."""
    return command.outcome == "failed" and command.cost is not None and command.cost.amount != 0


def late(command: RecordPurchase, state: Delivery, line: OrderLine) -> list[Event]:
    """What a supplier says of a purchase that is not open any more. A repeat and a `pending` change nothing."""
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
    """The statement of a purchase that was done too late, or of an open one whose goods are in `doubt`: what it bills
    is claimed."""
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
    """The event that keeps a statement."""
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
    """What is told of a purchase that was never asked of its supplier: kept as evidence, and again only when the last
    thing told like this was another.

    Answers {"outcome": "refused"} and the reason: `wrong-supplier`, or `too-many-reports` for what is not kept.
    """
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
    is_repeated = last is not None and (last.supplier, last.said) == (command.supplier, Said.told(refused))
    if not is_repeated and sum(one.supplier == command.supplier for one in state.reports) >= MOST_REPORTS:
        return Decided(answer={"outcome": "refused", "reason": "too-many-reports"})
    return Decided([] if is_repeated else [refused], {"outcome": "refused", "reason": "wrong-supplier"})


def settle(command: SettleStatement, state: Delivery) -> list[Event]:
    """Refuses `unknown-statement`, `already-settled`, `cost-known` and `wrong-cost`."""
    statement, line = _known(command, state)
    lost_claim = statement.settled == "claim" and command.decision == "cost"
    if statement.finding == "agrees" or (statement.settled is not None and not lost_claim):
        raise Refused("already-settled", "this statement is settled already")
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
        raise Refused("already-settled", "this statement is settled already")
    if statement.settled is None:
        raise Refused("not-claimed", "claim it first: then it may be won")
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
    """What is to be booked for a doubtful bill, None when nothing is: a person says what it really is, and what the
    books hold for the purchase already is no part of it."""
    cost = command.cost
    if cost is None:
        return None
    if statement.finding != "doubtful-cost" or command.decision != "cost":
        raise Refused("cost-known", "only a doubtful bill that we bear is given its cost", status=422)
    line = state.line
    if line is None or cost.amount <= 0 or cost.currency != line.amount.currency:
        raise Refused("wrong-cost", "a cost is a positive amount in the currency of the sale", status=422)
    booked = state.purchases[statement.supplier].booked
    extra = cost if booked is None else cost - booked
    return extra if extra.amount > 0 else None


def _moved(command: SettleStatement, state: Delivery, statement: Statement) -> Money | None:
    """A bill that we bear leaves the claims; what a supplier took back after all leaves the costs."""
    if command.decision == "cost":
        return statement.claimed
    booked = state.purchases[statement.supplier].booked
    if statement.finding != "late-failure" or booked is None:
        return None
    claimed = (other.claimed for other in state.statements if other.supplier == statement.supplier)
    borne = booked - sum((money for money in claimed if money), zero(booked.currency))
    return borne if borne.amount > 0 else None
