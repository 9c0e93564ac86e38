"""An order's money is held once, and then captured or voided once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from services.ledger.domain.hold import Hold, decide_hold, evolve_hold
from shared.contracts import CurrencyMismatch, Event
from shared.contracts.ledger import (
    CaptureHold,
    CreditSupplierClaim,
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
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
from tests.amounts import minor
from tests.ledger.builders import folded, given, hold, posting

HELD = FundsHeld(order_id="o-1", account="wallet:alice", amount=minor(1000))
VOIDED = HoldVoided(order_id="o-1", account="wallet:alice", amount=minor(1000), reason="buyer")
REFUSED = HoldRefused(order_id="o-1", account="wallet:alice", amount=minor(1000), available=minor(999))
CAPTURED = FundsCaptured(
    order_id="o-1",
    account="wallet:alice",
    amount=minor(800),
    released=minor(200),
    postings=(posting("wallet:alice", 800), posting("revenue:north", -800)),
)


def after(*events: Event) -> Hold:
    return folded(evolve_hold, Hold(), events)


def capture(fen: int, agent: str | None = None) -> CaptureHold:
    return CaptureHold(order_id="o-1", amount=minor(fen), agent=agent)


def refund(fen: int, refund_id: str = "r-1") -> RefundCapture:
    return RefundCapture(order_id="o-1", refund_id=refund_id, amount=minor(fen))


def only(events: list[Event]) -> Any:
    (event,) = events
    return event


def test_funds_are_held_when_the_account_has_them():
    assert decide_hold(hold("o-1", "wallet:alice", 1000), Hold(), given(minor(1000))) == [HELD]


def test_a_hold_is_refused_when_it_has_too_little():
    assert decide_hold(hold("o-1", "wallet:alice", 1000), Hold(), given(minor(999))) == [REFUSED]


@pytest.mark.parametrize("past", [HELD, REFUSED])
def test_an_order_is_answered_once(past: Event):
    assert decide_hold(hold("o-1", "wallet:alice", 1000), after(past), given(minor(5000))) == []


@pytest.mark.parametrize("past", [(HELD, VOIDED), (HELD, CAPTURED)])
def test_an_order_that_had_a_hold_gets_no_second_one(past: tuple[Event, ...]):
    assert decide_hold(hold("o-1", "wallet:alice", 1000), after(*past), given(minor(5000))) == []


@pytest.mark.parametrize("account", ["revenue:north", "channel:wechat", "gold:alice", "wallet:"])
def test_only_money_we_owe_is_held(account: str):
    command = hold("o-1", "wallet:alice", 1).model_copy(update={"account": account})
    with pytest.raises(ValueError, match=account):
        decide_hold(command, Hold(), given(minor(5000)))


def test_capturing_earns_and_frees_the_rest():
    assert decide_hold(capture(800), after(HELD), given(300)) == [CAPTURED]


@given_any(st.integers(1, 5_000), st.lists(st.integers(1, 5_000), max_size=6), st.integers(0, 10_000))
def test_refunds_take_back_what_the_capture_gave(fen: int, parts: list[int], basis_points: int):
    """In proportion, and all of it once all is refunded."""
    state = after(FundsHeld(order_id="o-1", account="wallet:alice", amount=minor(fen)))
    captured = only(decide_hold(capture(fen, agent="bob"), state, given(basis_points)))
    state, owed = evolve_hold(state, captured), minor(fen).share(basis_points).amount
    for number, part in enumerate([*parts, fen]):
        if (amount := min(part, state.refundable.amount)) > 0:
            refunded = only(decide_hold(refund(amount, f"r-{number}"), state, given()))
            state = evolve_hold(state, refunded)
            owed -= sum(p.amount.amount for p in refunded.postings if p.account == "commission:bob")
            assert owed == minor(fen).share(basis_points).amount * state.refundable.amount // fen
            assert sum(p.amount.amount for p in refunded.postings) == 0
    assert owed == 0


def test_an_agent_earns_a_commission_rounded_down():
    event = only(decide_hold(capture(999, agent="bob"), after(HELD), given(300)))
    assert event.postings[2:] == (posting("commission-cost:north", 29), posting("commission:bob", -29))


def test_a_commission_of_nothing_is_not_posted():
    assert len(only(decide_hold(capture(33, agent="bob"), after(HELD), given(300))).postings) == 2


def test_a_hold_is_captured_once():
    assert decide_hold(capture(800), after(HELD, CAPTURED), given(300)) == []


@pytest.mark.parametrize(
    ("past", "fen"), [((HELD,), 1001), ((HELD,), 0), ((), 1), ((REFUSED,), 1), ((HELD, VOIDED), 1)]
)
def test_a_capture_that_cannot_be_right_is_an_error(past: tuple[Event, ...], fen: int):
    with pytest.raises(ValueError):
        decide_hold(capture(fen), after(*past), given(300))


def test_another_currency_is_an_error():
    command = CaptureHold(order_id="o-1", amount=minor(5, "USD"))
    with pytest.raises(CurrencyMismatch):
        decide_hold(command, after(HELD), given(300))


def test_voiding_frees_the_hold_once():
    void = VoidHold(order_id="o-1", reason="buyer")
    assert decide_hold(void, after(HELD), given()) == [VOIDED]
    for past in ((), (REFUSED,), (HELD, VOIDED), (HELD, CAPTURED)):
        assert decide_hold(void, after(*past), given()) == []


def test_a_void_of_nothing_does_not_stop_a_later_hold():
    assert decide_hold(VoidHold(order_id="o-1", reason="unpaid"), Hold(), given()) == []
    assert decide_hold(hold("o-1", "wallet:alice", 1000), Hold(), given(minor(1000))) == [HELD]


def test_a_refund_gives_back_to_where_it_came_from_on_the_site_that_earned_it():
    event = only(decide_hold(refund(300), after(HELD, CAPTURED), given()))
    assert event == FundsRefunded(
        order_id="o-1",
        refund_id="r-1",
        account="wallet:alice",
        amount=minor(300),
        postings=(posting("refunds:north", 300), posting("wallet:alice", -300)),
    )


def test_the_same_refund_pays_once_and_refunds_stay_within_the_capture():
    state = after(HELD, CAPTURED)
    state = evolve_hold(state, only(decide_hold(refund(500), state, given())))
    assert decide_hold(refund(500), state, given()) == []
    with pytest.raises(ValueError):
        decide_hold(refund(301, "r-2"), state, given())
    assert only(decide_hold(refund(300, "r-2"), state, given())).amount == minor(300)


@pytest.mark.parametrize(("past", "fen"), [((HELD,), 1), ((HELD, CAPTURED), 0), ((HELD, CAPTURED), 801)])
def test_a_refund_that_cannot_be_right_is_an_error(past: tuple[Event, ...], fen: int):
    with pytest.raises(ValueError):
        decide_hold(refund(fen), after(*past), given())


def test_a_supplier_is_owed_once_a_line():
    command = PostSupplierCost(order_id="o-1", line=2, supplier="acme", cost=minor(70))
    event = only(decide_hold(command, after(HELD), given()))
    assert event.postings == (posting("cost:north", 70), posting("supplier:acme", -70))
    assert isinstance(event, SupplierCostPosted)
    assert decide_hold(command, after(HELD, event), given()) == []
    other = command.model_copy(update={"line": 3})
    assert len(decide_hold(other, after(HELD, event), given())) == 1


BILL = PostSupplierBill(order_id="o-1", bill_id="o-1/2/s1", supplier="acme", amount=minor(70))


def test_a_late_bill_is_owed_and_claimed_once():
    event = only(decide_hold(BILL, Hold(), given()))
    assert event.postings == (posting("claims:acme", 70), posting("supplier:acme", -70))
    assert isinstance(event, SupplierBillPosted)
    assert decide_hold(BILL, after(event), given()) == []
    with pytest.raises(ValueError, match="bill of"):
        decide_hold(BILL.model_copy(update={"bill_id": "o-1/2/s2", "amount": minor(0)}), after(event), given())


@pytest.mark.parametrize(
    ("decision", "debited", "credited"), [("cost", "cost:north", "claims:acme"), ("claim", "claims:acme", "cost:north")]
)
def test_a_claim_becomes_a_cost_and_a_cost_a_claim_once_for_each_decision(decision: str, debited: str, credited: str):
    move = MoveSupplierClaim.model_validate({**dict(BILL), "decision": decision})
    event = only(decide_hold(move, Hold(), given()))
    assert event.postings == (posting(debited, 70), posting(credited, -70))
    assert isinstance(event, SupplierClaimMoved)
    assert decide_hold(move, after(event), given()) == []
    with pytest.raises(ValueError, match="claim of"):
        decide_hold(move.model_copy(update={"amount": minor(-1), "bill_id": "x"}), after(event), given())


@pytest.mark.parametrize(
    ("owed", "moved"),
    [
        (100, [("supplier:acme", 70), ("claims:acme", -70)]),
        (70, [("supplier:acme", 70), ("claims:acme", -70)]),
        (30, [("supplier:acme", 30), ("claims:acme", -30), ("by-hand:acme", 40), ("claims:acme", -40)]),
        (0, [("by-hand:acme", 70), ("claims:acme", -70)]),
        (-5, [("by-hand:acme", 70), ("claims:acme", -70)]),
    ],
)
def test_a_won_claim_is_kept_from_what_is_owed_once_and_the_rest_is_paid_back_by_hand(
    owed: int, moved: list[tuple[str, int]]
):
    credit = CreditSupplierClaim.model_validate(dict(BILL))
    event = only(decide_hold(credit, Hold(), given(minor(owed))))
    assert event.postings == tuple(posting(account, amount) for account, amount in moved)
    assert isinstance(event, SupplierClaimCredited)
    assert decide_hold(credit, after(event), given(minor(owed))) == []
    with pytest.raises(ValueError, match="credit of"):
        decide_hold(credit.model_copy(update={"amount": minor(0), "bill_id": "x"}), after(event), given(minor(owed)))
