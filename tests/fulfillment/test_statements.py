from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from shared.contracts import Command, Event, Money, Refused
from shared.contracts.fulfillment import (
    PurchaseReport,
    RecordPurchaseUnknown,
    ResolveDelivery,
    SettleStatement,
    SupplierClaimWon,
    SupplierDelivered,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    WinClaim,
)
from tests.fulfillment.builders import COST, ID, deliver, deliver_by, given, names, order_line, report, when

NOT_DELIVERED = ResolveDelivery(delivery_id=ID, delivered=False, note="they say no")
DELIVERED = ResolveDelivery(delivery_id=ID, delivered=True, note="they say yes")
UNKNOWN = RecordPurchaseUnknown(delivery_id=ID, supplier="north", reason="time-out")
FAILED = report("north", "failed")


def settle(decision: Literal["cost", "claim"], statement: int = 1, cost: Money | None = None) -> SettleStatement:
    return SettleStatement(delivery_id=ID, statement=statement, decision=decision, cost=cost, note="looked into it")


def stated(past: list[Event], command: Command) -> SupplierStatementRecorded:
    """The one event that a statement brings about."""
    [event] = when(past, command, {})
    assert isinstance(event, SupplierStatementRecorded)
    assert when([*past, event], command, {}) == []  # a repeat is no news
    return event


def settled(past: list[Event], command: SettleStatement) -> SupplierStatementSettled:
    [event] = when(past, command)
    assert isinstance(event, SupplierStatementSettled)
    return event


@pytest.mark.parametrize(
    "past",
    [
        given(deliver_by("north"), FAILED),
        given(deliver_by("north"), FAILED, NOT_DELIVERED),
        given(deliver_by("north"), FAILED, DELIVERED),
        given(deliver_by("north"), UNKNOWN, NOT_DELIVERED),
        given(deliver_by("north"), UNKNOWN, DELIVERED),
        given(deliver_by("north", "south"), FAILED),
        given(deliver_by("north", "south"), FAILED, report("south", "done")),
    ],
    ids=["handed-over", "given-back", "by-hand", "unknown-given-back", "unknown-by-hand", "asked-next", "failed-over"],
)
def test_a_late_success_is_kept_with_its_bill(past: list[Event]) -> None:
    event = stated(past, report("north", "done", supplier_ref="n-7"))

    assert (event.finding, event.bill, event.booked) == ("late-success", COST, None)
    assert (event.statement, event.request_id, event.supplier_ref) == (1, f"{ID}#north", "n-7")


def test_a_second_bill_adds_what_it_is_higher() -> None:
    past = given(deliver_by("north"), report("north", "done", supplier_ref="n-7"))

    higher = stated(past, report("north", "done", supplier_ref="n-7", cost=Money(amount=1_000)))
    assert (higher.finding, higher.bill, higher.booked) == ("other-cost", Money(amount=50), COST)
    lower = stated([*past, higher], report("north", "done", supplier_ref="n-7", cost=Money(amount=10)))
    assert (lower.finding, lower.bill, lower.statement) == ("other-cost", None, 2)
    other = stated(past, report("north", "done", supplier_ref="n-8"))
    assert (other.finding, other.bill) == ("other-reference", None)


def test_a_bill_that_is_corrected_to_nothing_is_another_cost_and_adds_nothing() -> None:
    nothing = report("north", "done", cost=Money(amount=0))
    delivered = given(deliver_by("north"), report("north", "done"))
    late = given(deliver_by("north"), FAILED, report("north", "done"))

    for past in (delivered, late):
        event = stated(past, nothing)
        assert (event.finding, event.bill, event.booked) == ("other-cost", None, COST)
        with pytest.raises(Refused, match="cost-known"):
            when([*past, event], settle("cost", event.statement, cost=COST))


def test_nothing_is_doubtful_while_nothing_is_booked() -> None:
    """Also where a bill was doubtful before, and once a credit took away what was booked."""
    nothing = report("north", "done", cost=Money(amount=0))
    doubtful = given(deliver_by("north"), report("north", "done", cost=None))
    credited = given(deliver_by("north"), report("north", "done"), FAILED, settle("claim"), win())

    for past in (doubtful, credited):
        assert stated(past, nothing).finding == "doubtful-cost"


def test_a_supplier_that_takes_its_delivery_back_is_heard() -> None:
    done = given(deliver_by("north"), report("north", "done"))
    by_hand = given(deliver_by("north"), UNKNOWN, DELIVERED)
    given_back = given(deliver_by("north"), UNKNOWN, NOT_DELIVERED)

    assert stated(done, FAILED).finding == "late-failure"
    assert stated(by_hand, FAILED).finding == "late-failure"
    assert stated(given_back, FAILED).finding == "agrees"


@pytest.mark.parametrize(
    "past",
    [
        given(deliver_by("north"), FAILED),
        given(deliver_by("north"), FAILED, NOT_DELIVERED),
        given(deliver_by("north"), FAILED, DELIVERED),
        given(deliver_by("north"), UNKNOWN, NOT_DELIVERED, FAILED),
        given(deliver_by("north", "south"), FAILED, report("south", "done")),
    ],
    ids=["handed-over", "given-back", "by-hand", "unknown-given-back", "failed-over"],
)
def test_a_late_success_that_is_taken_back_again_is_heard_each_time(past: list[Event]) -> None:
    success = stated(past, report("north", "done"))
    taken_back = stated([*past, success], FAILED)
    dearer = stated([*past, success, taken_back], report("north", "done", cost=COST + COST))
    again = stated([*past, success, taken_back, dearer], FAILED)

    assert (taken_back.finding, taken_back.bill, taken_back.booked) == ("late-failure", None, COST)
    assert (dearer.finding, dearer.bill) == ("other-cost", COST)
    assert (again.finding, again.booked) == ("late-failure", COST + COST)


def test_a_late_success_that_was_borne_is_claimed_when_it_is_taken_back() -> None:
    past = given(deliver_by("north"), FAILED, NOT_DELIVERED, report("north", "done"), settle("cost"), FAILED)

    claim = settled(past, settle("claim", 2))
    assert (claim.bill, claim.moved) == (None, COST)


def test_a_bill_that_is_changed_back_is_a_statement_each_time() -> None:
    first, higher = report("north", "done"), report("north", "done", cost=COST + COST)
    past = given(deliver_by("north"), first)
    assert when(past, first, {}) == []
    dearer = stated(past, higher)
    back = stated([*past, dearer], first)
    forth = stated([*past, dearer, back], higher)

    assert (dearer.finding, dearer.bill) == ("other-cost", COST)
    assert (back.finding, back.bill, back.booked) == ("other-cost", None, COST + COST)
    assert (forth.finding, forth.bill, forth.booked) == ("other-cost", None, COST + COST)


def test_a_delivery_taken_back_and_reported_again_is_late() -> None:
    past = given(deliver_by("north"), report("north", "done"), FAILED)

    again = stated(past, report("north", "done"))
    assert (again.finding, again.bill, again.booked) == ("late-success", None, COST)


DOUBTFUL = [None, -COST, Money(amount=950, currency="USD"), Money(amount=100_001), Money(amount=0)]


def test_what_a_supplier_charges_for_nothing_is_left_to_a_person_and_the_next_is_asked() -> None:
    past, charged = given(deliver_by("north", "south")), report("north", "failed", cost=COST)

    assert names(when(past, charged, {})) == ["PurchaseFailed", "SupplierStatementRecorded", "PurchaseRequested"]
    statement = when(past, charged, {})[1]
    assert isinstance(statement, SupplierStatementRecorded)
    assert (statement.finding, statement.outcome) == ("doubtful-cost", "failed")
    assert (statement.cost, statement.bill) == (COST, None)
    past += when(past, charged, {})
    assert when(past, charged, {}) == []
    assert when(past, FAILED, {}) == []
    assert settled(past, settle("cost", cost=COST)).bill == COST


def test_what_a_supplier_charges_later_for_nothing_is_left_to_a_person() -> None:
    past = given(deliver_by("north", "south"), FAILED)

    assert stated(past, report("north", "failed", cost=COST)).finding == "doubtful-cost"
    free = report("north", "failed", cost=Money(amount=0))
    assert when(past, free, {}) == []


@pytest.mark.parametrize("cost", DOUBTFUL, ids=str)
def test_a_bill_that_nobody_can_believe_delivers_and_is_not_owed(cost: Money | None) -> None:
    delivered, doubtful = when(given(deliver_by("north")), report("north", "done", cost=cost), {})

    assert isinstance(delivered, SupplierDelivered)
    assert delivered.cost == Money(amount=0)
    assert isinstance(doubtful, SupplierStatementRecorded)
    assert (doubtful.finding, doubtful.cost, doubtful.bill) == ("doubtful-cost", cost, None)


@pytest.mark.parametrize(
    ("price", "costs_nothing", "believed"), [(1_000, False, False), (1_000, True, True), (0, False, True)]
)
def test_nothing_is_billed_for_what_is_listed_so_or_given_away(price: int, costs_nothing: bool, believed: bool) -> None:
    line = order_line("supplier", 1, ("north",)).model_copy(
        update={"amount": Money(amount=price), "costs_nothing": costs_nothing}
    )
    events = when(given(deliver(line)), report("north", "done", cost=Money(amount=0)), {})

    assert names(events) == ["SupplierDelivered", *([] if believed else ["SupplierStatementRecorded"])]


@pytest.mark.parametrize("currency", [{}, {"currency": None}, {"currency": ""}])
def test_a_cost_without_a_currency_is_in_none(currency: dict[str, object]) -> None:
    said = {"request_id": f"{ID}#north", "outcome": "done", "cost": {"amount": 950, **currency}}
    command = PurchaseReport.model_validate_json(json.dumps(said)).told_by("north")
    _, doubtful = when(given(deliver_by("north")), command, {})

    assert isinstance(doubtful, SupplierStatementRecorded)
    assert (doubtful.finding, doubtful.cost) == ("doubtful-cost", Money(amount=950, currency="XXX"))


@pytest.mark.parametrize("cost", DOUBTFUL, ids=str)
def test_a_late_bill_that_nobody_can_believe_is_kept_and_not_owed(cost: Money | None) -> None:
    event = stated(given(deliver_by("north"), FAILED, NOT_DELIVERED), report("north", "done", cost=cost))

    assert (event.finding, event.cost, event.bill) == ("doubtful-cost", cost, None)


def test_what_a_person_bears_leaves_the_claims() -> None:
    past = given(deliver_by("north"), FAILED, NOT_DELIVERED, report("north", "done"))

    borne = settled(past, settle("cost"))
    assert (borne.bill, borne.moved) == (None, COST)
    claim = settled(past, settle("claim"))
    assert (claim.bill, claim.moved) == (None, None)
    lost = settled([*past, claim], settle("cost"))
    assert lost.moved == COST


def test_a_delivery_taken_back_is_claimed_once() -> None:
    past = given(deliver_by("north"), report("north", "done"), FAILED)

    assert settled(past, settle("cost")).moved is None
    claim = settled(past, settle("claim"))
    assert claim.moved == COST
    assert settled([*past, claim], settle("cost")).moved == COST


def win(statement: int = 1) -> WinClaim:
    return WinClaim(delivery_id=ID, statement=statement, note="they credit it")


def test_a_claim_that_is_won_ends_with_what_was_claimed() -> None:
    past = given(deliver_by("north"), FAILED, NOT_DELIVERED, report("north", "done"), settle("claim"))
    [won] = when(past, win())

    assert isinstance(won, SupplierClaimWon)
    assert (won.statement, won.supplier, won.amount) == (1, "north", COST)
    for command in (win(), settle("cost"), settle("claim")):
        with pytest.raises(Refused, match="already-settled"):
            when([*past, won], command)


def test_what_is_said_of_a_purchase_that_was_credited_whole_is_news() -> None:
    past = given(deliver_by("north"), report("north", "done"), FAILED, settle("claim"), win())

    again = stated(past, report("north", "done"))
    assert (again.finding, again.bill, again.booked) == ("late-success", COST, None)
    assert stated(past, FAILED).finding == "agrees"


def test_only_a_claim_is_won() -> None:
    late = given(deliver_by("north"), FAILED, NOT_DELIVERED, report("north", "done"))
    agrees = given(deliver_by("north"), UNKNOWN, NOT_DELIVERED, FAILED)

    for past, command, code in (
        ([], win(), "unknown-statement"),
        (late, win(2), "unknown-statement"),
        (late, win(), "not-claimed"),
        (late + when(late, settle("cost")), win(), "already-settled"),
        (agrees, win(), "already-settled"),
    ):
        with pytest.raises(Refused, match=code):
            when(past, command)


def test_a_doubtful_bill_is_booked_at_what_a_person_says() -> None:
    past = given(deliver_by("north"), report("north", "done", cost=None))

    borne = settled(past, settle("cost", cost=COST))
    assert (borne.bill, borne.moved) == (COST, COST)
    assert settled(past, settle("cost")).bill is None


def test_of_what_a_person_says_only_what_is_not_booked_yet_is_booked() -> None:
    in_dollars = report("north", "done", cost=Money(amount=950, currency="USD"))
    for first in (report("north", "done"), report("north", "done", cost=COST + COST)):
        past = given(deliver_by("north"), first, in_dollars)
        for cost in (COST, COST + COST + COST):
            left = cost - (first.cost or cost)
            bill = left if left.amount > 0 else None
            event = settled(past, settle("cost", cost=cost))
            assert (event.bill, event.moved) == (bill, bill)


def test_a_statement_is_settled_once_and_by_its_rules() -> None:
    late = given(deliver_by("north"), FAILED, NOT_DELIVERED, report("north", "done"))
    doubtful = given(deliver_by("north"), report("north", "done", cost=None))
    agrees = given(deliver_by("north"), UNKNOWN, NOT_DELIVERED, FAILED)

    for past, command, code in (
        ([], settle("cost"), "unknown-statement"),
        (late, settle("cost", 2), "unknown-statement"),
        (late, settle("cost", 0), "unknown-statement"),
        (late + when(late, settle("cost")), settle("cost"), "already-settled"),
        (late + when(late, settle("cost")), settle("claim"), "already-settled"),
        (late + when(late, settle("claim")), settle("claim"), "already-settled"),
        (agrees, settle("cost"), "already-settled"),
        (late, settle("cost", cost=COST), "cost-known"),
        (doubtful, settle("claim", cost=COST), "cost-known"),
        (doubtful, settle("cost", cost=Money(amount=950, currency="USD")), "wrong-cost"),
        (doubtful, settle("cost", cost=-COST), "wrong-cost"),
    ):
        with pytest.raises(Refused, match=code):
            when(past, command)


COSTS = st.sampled_from(
    [None, -COST, Money(amount=0), COST, COST + COST, Money(amount=10), Money(amount=5, currency="USD")]
)
SAYINGS = st.builds(
    lambda supplier, outcome, cost: report(supplier, outcome, cost=cost if outcome == "done" else None),
    st.sampled_from(["north", "south"]),
    st.sampled_from(["done", "failed", "pending"]),
    COSTS,
)
PEOPLE = st.one_of(st.sampled_from([NOT_DELIVERED, DELIVERED, UNKNOWN]))
SETTLING = st.builds(
    settle, st.sampled_from(["cost", "claim"]), st.integers(1, 4), st.sampled_from([None, COST, COST + COST])
)
WINNING = st.builds(win, st.integers(1, 4))


@for_all(st.lists(st.one_of(SAYINGS, SAYINGS, PEOPLE, SETTLING, WINNING), max_size=25))
def test_whatever_is_said_each_purchase_is_owed_its_highest_bill_once(commands: list[Command]) -> None:
    """What the books hold for a purchase is the highest bill that can be believed or that a person named, and no claim
    is below nothing. What is said after a credit is owed anew."""
    past: list[Event] = given(deliver_by("north", "south"))
    highest: dict[str, int] = {}
    for command in commands:
        try:
            events = when(past, command, {})
        except Refused:
            continue
        past += events
        for event in events:
            _raise_highest(highest, event, command)
    for supplier in ("north", "south"):
        assert _owed(past, supplier) >= highest.get(supplier, 0)
        assert _credited(past, supplier) or _owed(past, supplier) == highest.get(supplier, 0)
        assert 0 <= _claimed(past, supplier) <= _owed(past, supplier) - _credited(past, supplier)
    assert names(past).count("SupplierDelivered") <= 1


def _raise_highest(highest: dict[str, int], event: Event, command: Command) -> None:
    match event:
        case SupplierDelivered(cost=cost):
            highest[event.supplier] = max(highest.get(event.supplier, 0), cost.amount)
        case SupplierStatementRecorded(cost=Money() as cost) if event.finding != "doubtful-cost":
            highest[event.supplier] = max(highest.get(event.supplier, 0), cost.amount)
        case SupplierStatementSettled() if isinstance(command, SettleStatement) and command.cost:
            highest[event.supplier] = max(highest.get(event.supplier, 0), command.cost.amount)
        case _:
            pass


def _owed(past: Iterable[Event], supplier: str) -> int:
    owed = 0
    for event in past:
        match event:
            case SupplierDelivered(cost=cost) if event.supplier == supplier:
                owed += cost.amount
            case SupplierStatementRecorded(bill=bill) | SupplierStatementSettled(bill=bill) if (
                event.supplier == supplier and bill
            ):
                owed += bill.amount
            case _:
                pass
    return owed


def _claimed(past: Iterable[Event], supplier: str) -> int:
    claimed = 0
    for event in past:
        match event:
            case SupplierStatementRecorded(bill=Money() as bill) if event.supplier == supplier:
                claimed += bill.amount
            case SupplierStatementSettled() if event.supplier == supplier:
                claimed += event.bill.amount if event.bill else 0
                moved = event.moved.amount if event.moved else 0
                claimed += moved if event.decision == "claim" else -moved
            case _:
                pass
    return claimed - _credited(past, supplier)


def _credited(past: Iterable[Event], supplier: str) -> int:
    won = (event for event in past if isinstance(event, SupplierClaimWon) and event.supplier == supplier)
    return sum(event.amount.amount for event in won if event.amount)
