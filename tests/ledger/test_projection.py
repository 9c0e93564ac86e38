"""Balances and entries follow the events, and the database has them."""

from __future__ import annotations

from pydantic import TypeAdapter

from services.ledger.projection import entries, payments, references, returns
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.ledger import (
    CaptureHold,
    FundsHeld,
    HoldRefused,
    MatchPayment,
    PaymentReturned,
    PaymentUnmatched,
    RecordPaymentOpening,
    RecordReturn,
    RefundCapture,
    RequestPayment,
    ReturnFailed,
    ReturnRequested,
    VoidHold,
)
from tests.amounts import minor
from tests.ledger.builders import NOW, Books, a_callback, a_request, funding, hold

OPENING = RecordPaymentOpening(payment_id="o-1", opened=True, channel_ref="ref-1", pay_url="https://pay.example/1")


def paid_order() -> Books:
    """An order of 5.00 paid through a channel: its money is held on its own account."""
    books = Books()
    request = {"payment_id": "o-1", "account": "order:o-1", "order_id": "o-1"}
    books.do(RequestPayment.model_validate(a_request(**request)))
    books.do(OPENING)
    books.do(a_callback(payment_id="o-1"))
    return books


def test_a_hold_sets_money_aside_until_it_is_captured():
    books = Books()
    books.do(funding("wallet:alice", 1000))
    books.do(hold("o-1", "wallet:alice", 600))
    assert books.balance("wallet:alice") == (-1000, 600)
    books.do(CaptureHold(order_id="o-1", amount=minor(500), agent="bob"))
    assert books.balance("wallet:alice") == (-500, 0)
    assert books.balance("revenue:north") == (-500, 0)
    assert books.balance("commission:bob") == (-15, 0)
    books.do(RefundCapture(order_id="o-1", refund_id="r-1", amount=minor(200)))
    assert books.balance("wallet:alice") == (-700, 0)


def test_a_wallet_of_more_than_one_amount_can_be_is_carried():
    books = Books()
    half = MAX_MINOR_UNITS // 2
    for number in range(3):  # by a channel, which must always be believed
        deposit = a_request(payment_id=f"p-{number}", amount=minor(half))
        books.do(deposit)
        opening = RecordPaymentOpening(payment_id=f"p-{number}", opened=True, channel_ref=f"r-{number}", pay_url="u")
        books.do(opening)
        paid = {"payment_id": f"p-{number}", "channel_ref": f"r-{number}", "callback_id": f"c-{number}"}
        books.do(a_callback(**paid, amount=minor(half)))
    assert books.balance("wallet:alice") == (-3 * half, 0)

    books.do(hold("o-1", "wallet:alice", MAX_MINOR_UNITS))
    books.do(hold("o-2", "wallet:alice", half))
    books.do(hold("o-3", "wallet:alice", 1))
    assert books.balance("wallet:alice") == (-3 * half, 3 * half)
    (refused,) = books.events(HoldRefused)
    assert refused.partition_key() == "o-3"


def test_two_holds_of_one_batch_share_one_balance():
    books = Books()
    books.do(funding("wallet:alice", 1000))
    for order in ("o-1", "o-2", "o-3"):
        books.do(hold(order, "wallet:alice", 400))
    assert len(books.events(FundsHeld)) == 2
    assert books.balance("wallet:alice") == (-1000, 800)


def test_money_for_an_order_is_held_as_it_arrives_and_returned_when_it_is_voided():
    books = paid_order()
    assert books.balance("order:o-1") == (-500, 500)
    books.do(VoidHold(order_id="o-1", reason="short-stock"))
    assert len(books.events(ReturnRequested)) == 1
    assert books.balance("order:o-1") == (-500, 500), "held for the return now"
    books.do(RecordReturn(payment_id="o-1", return_id="hold#rest", returned=True))
    assert books.balance("order:o-1") == (0, 0)
    assert books.balance("channel:wechat") == (0, 0)


def test_the_undelivered_part_and_later_refunds_go_back_to_the_source():
    books = paid_order()
    books.do(CaptureHold(order_id="o-1", amount=minor(300)))
    books.do(RefundCapture(order_id="o-1", refund_id="r-1", amount=minor(100)))
    for return_id in ("hold#rest", "r-1"):
        books.do(RecordReturn(payment_id="o-1", return_id=return_id, returned=True))
    assert [event.amount for event in books.events(PaymentReturned) if isinstance(event, PaymentReturned)] == [
        minor(200),
        minor(100),
    ]
    assert books.balance("order:o-1") == (0, 0)
    assert books.balance("channel:wechat") == (200, 0)


def test_a_failed_return_leaves_the_money_on_the_account():
    books = paid_order()
    books.do(VoidHold(order_id="o-1", reason="buyer"))
    books.do(RecordReturn(payment_id="o-1", return_id="hold#rest", returned=False, reason="closed"))
    assert len(books.events(ReturnFailed)) == 1
    assert books.balance("order:o-1") == (-500, 0)


def test_a_callback_moved_to_another_payment_is_seen_by_its_reference():
    books = paid_order()
    books.do(a_request(payment_id="p-2"))
    answer = books.do(a_callback(payment_id="p-2", callback_id="cb-2"))
    assert answer == {"outcome": "refused", "reason": "wrong-reference"}
    assert books.balance("wallet:alice") == (0, 0)


def test_a_reference_that_a_channel_gave_to_two_payments_stays_with_the_first_and_the_second_can_be_matched():
    books = paid_order()
    books.do(a_request(payment_id="p-2"))
    books.do(OPENING.model_copy(update={"payment_id": "p-2"}))
    answer = books.do(a_callback(payment_id="p-2", callback_id="cb-2"))
    assert answer == {"outcome": "refused", "reason": "wrong-reference"}
    assert books.balance("suspense:wechat") == (-500, 0)

    (waits,) = books.events(PaymentUnmatched)
    assert isinstance(waits, PaymentUnmatched)
    books.do(MatchPayment(payment_id="p-2", item=waits.item, wallet=None, note="paid twice under one name"))

    assert books.balance("wallet:alice") == (-500, 0)
    assert books.balance("suspense:wechat") == (0, 0)
    assert books.memory.dump()[references.name] == [("wechat", "ref-1", "o-1")]
    assert books.do(a_callback(payment_id="o-1")) == {"outcome": "already-received"}
    assert books.do(a_callback(payment_id="p-2", callback_id="cb-3")) == {"outcome": "already-received"}


def test_the_database_has_what_memory_has():
    books = paid_order()
    books.do(VoidHold(order_id="o-1", reason="buyer"))
    rows = books.memory.dump()
    at = NOW.isoformat()
    assert rows[entries.name] == [
        (3, 0, "channel:wechat", "CNY", 500, at, "PaymentReceived", "o-1"),
        (3, 1, "order:o-1", "CNY", -500, at, "PaymentReceived", "o-1"),
    ]
    assert rows[payments.name] == [("o-1", "order:o-1", "CNY", 500, "wechat", "o-1", "received")]
    assert rows[references.name] == [("wechat", "ref-1", "o-1")]
    assert rows[returns.name] == [("o-1", "hold#rest", "CNY", 500, "requested", "")]


def test_states_survive_a_snapshot():
    books = paid_order()
    books.do(CaptureHold(order_id="o-1", amount=minor(300)))
    books.do(RefundCapture(order_id="o-1", refund_id="r-1", amount=minor(100)))
    books.do(funding("wallet:alice", 1))
    assert len(books.states) == 3
    for state in books.states.values():
        adapter = TypeAdapter(type(state))
        assert adapter.validate_json(adapter.dump_json(state)) == state
