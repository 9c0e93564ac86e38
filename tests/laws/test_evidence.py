"""EvidenceSettled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from laws import ChannelPayment, EvidenceSettled, SupplierSaid, evidence_settled, statements_kept, watch
from shared.contracts import Event
from shared.contracts.fulfillment import SupplierClaimWon, SupplierStatementRecorded, SupplierStatementSettled
from shared.contracts.gateway import StatementUnread, UnreadSettled
from shared.contracts.ledger import (
    SHARED_REFERENCE,
    CallbackRefused,
    PaymentUnmatched,
    ReturnedByHand,
    ReturnFailed,
    SupplierBillPosted,
    SupplierClaimCredited,
    SupplierClaimMoved,
    UnmatchedSettled,
)
from shared.contracts.notification import MessageQueued
from shared.contracts.order import RefundRecorded
from tests.amounts import minor
from tests.laws.builders import (
    captured,
    finding,
    held,
    received,
    record,
    refund_approved,
    refunded,
    return_requested,
    returned,
    transfer,
    watched,
)

LAW = "EvidenceSettled"


def unmatched(payment_id: str = "o-1", fen: int = 499, item: str = "item-1", ref: str = "ref-o-1") -> PaymentUnmatched:
    return PaymentUnmatched(
        payment_id=payment_id,
        item=item,
        channel="wechat",
        channel_ref=ref,
        callback_id="callback",
        amount=minor(fen),
        expected=minor(500),
        reason="amount-mismatch",
        order_id=payment_id,
        postings=transfer("channel:wechat", "suspense:wechat", fen),
    )


def settled(how: str = "by-hand", item: str = "item-1", fen: int = 499) -> UnmatchedSettled:
    return UnmatchedSettled(
        payment_id="o-1",
        item=item,
        how=how,
        amount=minor(fen),
        note="",
        order_id="o-1",
        postings=transfer("suspense:wechat", "channel:wechat" if how == "corrected" else "by-hand:wechat", fen),
    )


def refused(fen: int = 500, payment_id: str = "o-1", reference_of: str | None = None) -> CallbackRefused:
    return CallbackRefused(
        payment_id=payment_id,
        channel="wechat",
        callback_id="callback",
        reason="wrong-reference",
        channel_ref="ref-o-1",
        amount=minor(fen),
        reference_of=reference_of,
    )


def staff_mail(template: str, **params: str | int) -> MessageQueued:
    return MessageQueued(
        message_id="m-1", channel="email", to="staff", template=template, locale="zh", params=params, order_id=None
    )


DENIED = CallbackRefused(payment_id="o-1", channel="wechat", callback_id="asked", reason="failed")
RECORDED = RefundRecorded(
    order_id="o-1", customer=None, refund_id="refund-1", amount=minor(100), refunded=minor(100), full=False
)
FAILED = ReturnFailed(payment_id="o-1", return_id="refund-1", amount=minor(100), reason="not enough money")
BY_HAND = ReturnedByHand(
    payment_id="o-1",
    return_id="refund-1",
    amount=minor(100),
    note="paid in cash",
    postings=transfer("order:o-1", "by-hand:wechat", 100),
)
PAID = [received("o-1", 500), held("o-1", 500), captured("o-1", 500)]
RETURNING = [*PAID, refund_approved("o-1", 100), refunded("o-1", 100), return_requested("o-1", 100)]
MAIL = staff_mail("payment-unmatched", item="item-1", amount="4.99 CNY")
RETURN_MAIL = staff_mail("return-failed", payment="o-1", return_id="refund-1")


def said(*events: Event) -> tuple[str, ...]:
    """What the law complains of once everything is at rest."""
    return finding(LAW, *events, drained=True).violations


@pytest.mark.parametrize("end", [MAIL, settled(), settled("corrected")])
def test_money_that_fits_nothing_is_settled_or_shown_to_staff(end: Event) -> None:
    assert said(unmatched()) == ("4.99 CNY of payment o-1 waits, and staff do not know",)
    assert said(unmatched(), end) == ()


def test_a_message_of_another_item_shows_nothing() -> None:
    other = staff_mail("payment-unmatched", item="item-2")

    assert said(unmatched(), other)


def test_a_reference_is_booked_once() -> None:
    again = unmatched(item="item-2")

    assert said(unmatched(), MAIL, again, settled(item="item-2")) == (
        "ref-o-1 of wechat was booked twice, now for o-1 (ledger 2)",
    )
    assert said(received("o-1", 500), again, settled(item="item-2"))
    assert said(unmatched(), settled("corrected"), again, settled(item="item-2")) == ()


def test_a_reference_of_two_payments_is_booked_once_for_each() -> None:
    shared = unmatched(payment_id="o-2").model_copy(update={"reason": SHARED_REFERENCE})

    assert said(received("o-1", 500), shared, settled()) == ()
    again = shared.model_copy(update={"item": "item-2"})
    assert said(received("o-1", 500), shared, again, settled(), settled(item="item-2")) == (
        "ref-o-1 of wechat was booked twice, now for o-2 (ledger 3)",
    )


def test_an_item_is_opened_once_and_only_what_is_open_is_settled() -> None:
    assert said(unmatched(), unmatched(ref="ref-2"), settled()) == (
        "item-1 of payment o-1 was opened twice (ledger 2)",
    )
    assert said(settled()) == ("item-1 of payment o-1 was settled and never opened (ledger 1)",)


def test_a_statement_that_moved_nothing_is_about_booked_money() -> None:
    assert said(refused()) == ("5.00 CNY that wechat reported for payment o-1 is not in the books",)
    assert said(received("o-1", 500), refused()) == ()
    assert said(refused(), received("o-1", 500)) == ()
    assert said(refused(), DENIED) == ()
    assert said(received("o-1", 500), refused(payment_id="o-2", reference_of="o-1")) == ()
    assert said(refused(payment_id="o-2", reference_of="o-1"))


LOST = "nobody knows what became of 1.00 CNY of payment o-1, asked back as refund-1"


@pytest.mark.parametrize("end", [returned("o-1", 100), BY_HAND, RETURN_MAIL])
def test_a_return_that_failed_is_paid_or_shown_to_staff(end: Event) -> None:
    assert said(*RETURNING, FAILED) == ("1.00 CNY of payment o-1 did not go back as refund-1, and staff do not know",)
    assert said(*RETURNING, FAILED, end) == ()


def test_a_return_that_was_asked_for_ends() -> None:
    assert said(*RETURNING) == (LOST,)
    assert said(*RETURNING, FAILED, return_requested("o-1", 100)) == (LOST,)
    assert said(*RETURNING, returned("o-1", 100)) == ()


def test_an_order_says_refunded_when_the_money_is_back() -> None:
    assert said(*RETURNING, RECORDED) == (
        "o-1 says that 1.00 CNY is refunded as refund-1, and nothing went back",
        LOST,
    )
    assert said(*RETURNING, returned("o-1", 100), RECORDED) == ()
    assert said(*RETURNING, RECORDED, returned("o-1", 100)) == ()
    assert said(*RETURNING, FAILED, BY_HAND, RECORDED) == ()


def test_a_wallet_has_the_money_at_once() -> None:
    refund = refunded("o-1", 100)
    into_wallet = refund.model_copy(update={"account": "wallet:anna"})

    assert said(into_wallet, RECORDED) == ()
    assert said(refund, RECORDED)


def seen_after(event: Event, passed: timedelta) -> tuple[str, ...]:
    """What the law complains of in a system at work, when so much time has passed since the event."""
    first, second = record([event, received("o-2", 500)])
    seen = watch()
    seen.saw(first)
    seen.saw(replace(second, at=second.at + passed))
    return next(it for it in seen.findings(drained=False) if it.law == LAW).violations


def test_a_system_at_work_has_an_hour_to_tell_staff() -> None:
    assert seen_after(unmatched(), timedelta(hours=1)) == ()
    late = seen_after(unmatched(), timedelta(hours=1, seconds=1))
    assert late == ("4.99 CNY of payment o-1 waits, and staff do not know",)


def test_a_system_at_work_has_six_hours_to_end_a_return() -> None:
    assert seen_after(return_requested("o-1", 100), timedelta(hours=6)) == ()
    assert seen_after(return_requested("o-1", 100), timedelta(hours=6, seconds=1)) == (LOST,)


@pytest.mark.parametrize(
    ("channel", "complaint"),
    [
        (ChannelPayment("o-1", 1, 500, {"refund-1": (100,)}), ""),
        (ChannelPayment("o-1", 1, 499, {"refund-1": (100,)}), "o-1: 499 CNY was collected, the books say {'CNY': 500}"),
        (ChannelPayment("o-1", 1, 500, {"refund-1": (100,)}, "USD"), "o-1: 500 USD was collected, the books say"),
        (ChannelPayment("o-1", 1, 500), "o-1: the books say that 100 went back as refund-1, and 0 did"),
        (ChannelPayment("o-1", 1, 500, {"refund-1": (100,), "refund-2": (7,)}), "refund-2"),
    ],
)
def test_the_channels_own_books_are_ours(channel: ChannelPayment, complaint: str) -> None:
    books = watched(*RETURNING, returned("o-1", 100)).law(EvidenceSettled)

    violations = evidence_settled([channel], books).violations

    assert len(violations) == bool(complaint)
    assert complaint in "".join(violations)


def test_what_a_person_must_end_may_have_been_paid_unheard() -> None:
    books = watched(*RETURNING, FAILED).law(EvidenceSettled)

    assert evidence_settled([ChannelPayment("o-1", 1, 500, {"refund-1": (100,)})], books).ok


OF_LINE = {"delivery_id": "o-1/1", "order_id": "o-1", "line": 1, "supplier": "north", "request_id": "o-1/1#north"}
OF_BILL = {"order_id": "o-1", "bill_id": "o-1/1/s1", "supplier": "north", "amount": minor(4700)}


def stated(finding: str = "late-success", fen: int | None = 4700) -> SupplierStatementRecorded:
    money = None if fen is None else minor(fen)
    report = {"sku": "TOP-UP", "outcome": "done", "supplier_ref": "n-7", "reason": "", "cost": money, "bill": money}
    return SupplierStatementRecorded.model_validate({**OF_LINE, **report, "statement": 1, "finding": finding})


def decided(decision: str, moved: int | None = None, bill: int | None = None) -> SupplierStatementSettled:
    money = {"moved": moved and minor(moved), "bill": bill and minor(bill)}
    return SupplierStatementSettled.model_validate(
        {**OF_LINE, **money, "statement": 1, "decision": decision, "note": "asked them"}
    )


BILLED = SupplierBillPosted.model_validate({**OF_BILL, "postings": transfer("claims:north", "supplier:north", 4700)})
BORNE = SupplierClaimMoved.model_validate(
    {**OF_BILL, "decision": "cost", "postings": transfer("cost:main", "claims:north", 4700)}
)
WON = SupplierClaimWon.model_validate({**OF_LINE, "statement": 1, "amount": minor(4700), "note": "they credit it"})
CREDITED = SupplierClaimCredited.model_validate(
    {**OF_BILL, "postings": transfer("supplier:north", "claims:north", 4700)}
)
STATEMENT_MAIL = staff_mail("supplier-statement", statement="o-1/1/s1")
ALONE = "north said of o-1/1 what does not fit, and staff do not know"


@pytest.mark.parametrize("end", [STATEMENT_MAIL, decided("claim"), WON.model_copy(update={"amount": None})])
def test_a_suppliers_statement_is_settled_or_shown_to_staff(end: Event) -> None:
    assert said(stated(), BILLED) == (ALONE,)
    assert said(stated(), BILLED, end) == ()
    assert said(stated("agrees", None)) == ()
    assert said(stated(), BILLED, staff_mail("supplier-statement", statement="o-1/1/s2"))


@pytest.mark.parametrize(
    ("statements", "booked", "complaint"),
    [
        ([stated(), decided("claim")], [BILLED], "the bill o-1/1/s1 of north is not in the books"),
        (
            [stated("doubtful-cost", None), decided("cost", bill=4700)],
            [BILLED],
            "the bill o-1/1/s1 of north is not in the books",
        ),
        (
            [stated(), decided("cost", moved=4700)],
            [BILLED, BORNE],
            "o-1/1/s1 was settled as a cost, and the books do not say so",
        ),
        (
            [stated(), decided("claim"), WON],
            [BILLED, CREDITED],
            "the claim o-1/1/s1 was won, and the books do not say so",
        ),
    ],
)
def test_what_people_decide_of_it_is_in_the_books(statements: list[Event], booked: list[Event], complaint: str) -> None:
    assert said(*statements, *booked) == said(*booked, *statements) == ()
    assert said(*statements, *booked[:-1]) == (complaint,)


def test_of_a_supplier_too_staff_hear_within_an_hour() -> None:
    first, _, last = record([stated(), BILLED, received("o-2", 500)])
    seen = watch()
    seen.saw(first)
    seen.saw(replace(last, at=last.at + timedelta(hours=1, seconds=1)))

    found = next(it for it in seen.findings(drained=False) if it.law == LAW)
    assert found.violations == ("the bill o-1/1/s1 of north is not in the books", ALONE)


def test_what_we_acknowledged_to_a_supplier_is_in_the_log() -> None:
    kept = {SupplierSaid("o-1/1#north", "failed"), SupplierSaid("o-1/1#north", "done", 4700, "CNY")}

    assert statements_kept([SupplierSaid("o-1/1#north", "done", 4700, "CNY")], kept).ok
    assert statements_kept([SupplierSaid("o-1/1#north", "done", 4800, "CNY")], kept).violations == (
        "o-1/1#north was reported as done, for 4800 CNY, and the log does not say so",
    )
    assert not statements_kept([SupplierSaid("o-1/1#north", "done")], kept).ok


def test_texts_that_a_supplier_delivered_are_in_the_log() -> None:
    statement = SupplierSaid("o-1/1#north", "done", 4700, "CNY", frozenset({"a", "b"}))
    bare, first = replace(statement, goods=frozenset()), replace(statement, goods=frozenset({"a"}))

    assert statements_kept([statement, first, bare], {statement}).ok
    assert statements_kept([statement], {first, replace(first, cost=4800, goods=frozenset({"b"}))}).ok
    assert statements_kept([statement], {first}).violations == (
        "o-1/1#north was reported as done with 2 texts, for 4700 CNY, and the log does not say so",
    )


UNREAD = StatementUnread(statement_id="s-1", kind="supplier", partner="north", faults=("x",), scraps=(), size=9)
NOTED = UnreadSettled(statement_id="s-1", kind="supplier", partner="north", note="asked them")
UNREAD_MAIL = staff_mail("statement-unread", kind="supplier", partner="north")


@pytest.mark.parametrize("end", [NOTED, UNREAD_MAIL])
def test_what_can_not_be_read_is_settled_or_shown_to_staff(end: Event) -> None:
    assert said(UNREAD) == ("what supplier north sent as s-1 can't be read, and staff do not know",)
    assert said(UNREAD, end) == ()
    assert said(UNREAD, staff_mail("statement-unread", kind="channel", partner="north"))
