"""Who gets a message about what."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.notification.adapters.templates import Templates
from services.notification.reactions import PLANS, REACTIONS, message_id
from shared.contracts import CallExternal, Event, Money, zero
from shared.contracts.fulfillment import DeliveryHandedOver, SupplierReportRefused, SupplierStatementRecorded
from shared.contracts.gateway import Scrap, StatementUnread, WebhookEndpointDisabled
from shared.contracts.inventory import KeysSupplied, SoldKey, StockRanLow
from shared.contracts.ledger import PaymentNotClosed, PaymentOpeningFailed, PaymentUnmatched, Posting, ReturnFailed
from shared.contracts.notification import MessageQueued, SendMessage
from shared.contracts.order import (
    CancelReason,
    DeliveryOverdue,
    OrderCancelled,
    OrderCompleted,
    OrderReopened,
    PaymentDifferenceSettled,
    PaymentDiffers,
    RefundRecorded,
    RepaymentDelayed,
    RepaymentEnded,
    Wait,
)
from shared.contracts.risk import CaseOpened
from tests.notification.builders import NOW, ORDER

FIFTY = Money(amount=5_000)
COMPLETED = OrderCompleted(
    order_id=ORDER, customer="alice", delivered=FIFTY, undelivered=zero(), agent=None, email="b@example.org"
)
CANCELLED = OrderCancelled(
    order_id=ORDER, customer=None, reason="unpaid", paid=False, lines=(), email="b@example.org", locale="en"
)
REFUNDED = RefundRecorded(
    order_id=ORDER, customer=None, refund_id="r-1", amount=FIFTY, refunded=FIFTY, full=True, email="b@example.org"
)
STATED = SupplierStatementRecorded(
    delivery_id=f"{ORDER}/1", order_id=ORDER, line=1, sku="SKU-1", supplier="north", request_id=f"{ORDER}/1#north",
    statement=1, finding="late-success", outcome="done", supplier_ref="n-7", cost=FIFTY, reason="", bill=FIFTY,
)  # fmt: skip
UNASKED = SupplierReportRefused(
    delivery_id="made-up/1", order_id=None, supplier="north", request_id="made-up/1#north", outcome="done",
    supplier_ref="n-8", cost=FIFTY, reason="",
)  # fmt: skip
UNREAD = StatementUnread(
    statement_id="s-1", kind="channel", partner="alipay", faults=("status: what is that?",),
    scraps=(Scrap(name="status", text="refunded"),), size=120,
)  # fmt: skip
REOPENED = OrderReopened(
    order_id=ORDER, lines=(), attempt=2, reserved_until=NOW, amount=FIFTY, email="b@example.org", locale="zh"
)
DIFFERS = PaymentDiffers(
    order_id=ORDER, customer=None, item="i", amount=Money(amount=4_999), expected=FIFTY, reason="amount-mismatch",
    email="b@example.org",
)  # fmt: skip
PLACE_FOUND = PaymentDifferenceSettled(
    order_id=ORDER, customer=None, item="i", amount=Money(amount=4_999), how="returned", waiting=0,
    email="b@example.org",
)  # fmt: skip
DELAYED = RepaymentDelayed(
    order_id=ORDER, customer=None, return_id="hold#rest", amount=FIFTY, reason="422", email="b@example.org"
)
BACK = RepaymentEnded(
    order_id=ORDER, customer=None, return_id="hold#rest", amount=FIFTY, returned=True, waiting=0, email="b@example.org"
)
DOUBLED = KeysSupplied(
    sku="SKU-1", delivery_id=f"{ORDER}/1", supplier="north", given=False, numbers=(4, 7),
    sold=(SoldKey(number=7, order_id="order-7"),),
)  # fmt: skip
HANDED_OVER = DeliveryHandedOver(
    delivery_id=f"{ORDER}/1", order_id=ORDER, line=1, sku="SKU-1", reason="no supplier left"
)
CASE = CaseOpened(order_id=ORDER, amount=FIFTY, reasons=("list:watch:ip:203.0.113.7",))
NONE_AND_MANY: tuple[dict[str, int], ...] = ({}, {"more": 0}, {"more": 98})
FOR_BUYERS: list[Event] = [COMPLETED, CANCELLED, REFUNDED, REOPENED, DIFFERS, PLACE_FOUND, DELAYED, BACK]
FOR_STAFF: list[Event] = [
    StockRanLow(sku="SKU-1", available=3, threshold=5),
    DOUBLED,
    HANDED_OVER,
    STATED,
    UNASKED,
    UNREAD,
    CASE,
    DeliveryOverdue(order_id=ORDER, lines=(1, 3)),
    ReturnFailed(payment_id=ORDER, return_id="r-1", amount=FIFTY, reason="account closed"),
    PaymentOpeningFailed(payment_id=ORDER, reason="channel down"),
    PaymentNotClosed(payment_id=ORDER, order_id=ORDER, paid=None, reason="refused"),
    WebhookEndpointDisabled(endpoint_id="e-1", name="partner", reason="failing"),
]


def messages_about(event: Event) -> list[SendMessage]:
    commands = list(REACTIONS[type(event)](event))
    assert all(isinstance(command, SendMessage) for command in commands)
    return [command for command in commands if isinstance(command, SendMessage)]


@pytest.mark.parametrize("event", FOR_BUYERS, ids=lambda event: type(event).__name__)
def test_a_buyer_gets_mail_in_their_language(event: Event):
    (message,) = messages_about(event)
    assert (message.channel, message.to, message.order_id) == ("email", "b@example.org", ORDER)
    assert message.locale == ("en" if event is CANCELLED else "zh")


@pytest.mark.parametrize("event", FOR_BUYERS, ids=lambda event: type(event).__name__)
def test_a_buyer_without_an_address_gets_no_mail(event: Event):
    assert messages_about(event.model_copy(update={"email": ""})) == []


@pytest.mark.parametrize("event", FOR_STAFF, ids=lambda event: type(event).__name__)
def test_staff_get_messages_on_the_console_and_by_webhook(event: Event):
    messages = messages_about(event)
    assert [(message.to, message.channel) for message in messages] == [("staff", "console"), ("staff", "webhook")]
    assert len({message.message_id for message in messages}) == 2


@pytest.mark.parametrize("event", FOR_BUYERS + FOR_STAFF, ids=lambda event: type(event).__name__)
def test_the_same_event_makes_the_same_messages_and_each_has_its_texts(event: Event):
    assert messages_about(event) == messages_about(event.model_copy())
    for message in messages_about(event):
        for locale in ("zh", "en"):
            known = {**message.params, "order_id": ORDER, "order_url": f"https://shop.example/orders/{ORDER}"}
            subject, text = Templates().render(message.template, locale, known)
            assert subject
            assert text.strip()


@pytest.mark.parametrize("reason", CancelReason.__args__)
def test_every_reason_of_a_cancellation_has_words(reason: str):
    (message,) = messages_about(CANCELLED.model_copy(update={"reason": reason}))
    for locale in ("zh", "en"):
        _, text = Templates().render(message.template, locale, {**message.params, "order_id": ORDER, "order_url": "u"})
        assert reason not in ("unpaid", "short-stock") or reason not in text


def test_an_order_cancelled_again_for_another_reason_makes_another_message():
    again = CANCELLED.model_copy(update={"reason": "short-stock", "paid": True})
    assert messages_about(CANCELLED)[0].message_id != messages_about(again)[0].message_id


def test_ids_of_different_things_differ_and_are_never_too_long():
    long, longer = "o" * 80, "o" * 79 + "p"
    ids = {message_id("order-completed", order_id) for order_id in ("1", "2", long, longer)}
    assert len(ids) == 4
    assert all(len(one) <= 80 for one in ids)
    assert messages_about(COMPLETED.model_copy(update={"order_id": long}))[0].message_id in ids


def test_what_may_happen_again_makes_another_message_after_a_while():
    again = {
        StockRanLow: 600,
        CaseOpened: 600,
        DeliveryHandedOver: 600,
        SupplierReportRefused: 600,
        StatementUnread: 600,
        ReturnFailed: 60,
        PaymentNotClosed: 60,
        WebhookEndpointDisabled: 60,
    }
    for event in FOR_STAFF:
        assert {message.again_after_seconds for message in messages_about(event)} == {again.get(type(event))}


def test_a_payment_that_was_paid_before_it_could_be_closed_alarms_nobody():
    assert (
        messages_about(PaymentNotClosed(payment_id=ORDER, order_id=ORDER, paid=FIFTY, reason="it was paid before"))
        == []
    )


@pytest.mark.parametrize(
    ("event", "other"),
    [
        (CASE, CASE.model_copy(update={"order_id": "o2", "again": True})),
        (HANDED_OVER, HANDED_OVER.model_copy(update={"order_id": "o2"})),
    ],
    ids=lambda event: type(event).__name__,
)
def test_of_what_may_come_in_bursts_each_kind_shares_a_message(event: Event, other: Event):
    assert [it.message_id for it in messages_about(event)] == [it.message_id for it in messages_about(other)]
    assert all(message.gather for message in (*messages_about(event), *messages_about(other)))
    message = messages_about(event)[0]
    for locale in ("zh", "en"):
        known = {**message.params, "order_id": ORDER, "order_url": "u"}
        alone, many = (
            Templates().render(message.template, locale, {**known, **more})[1] for more in ({}, {"more": 98})
        )
        assert Templates().render(message.template, locale, {**known, "more": 0})[1] == alone
        assert "98" in many.removeprefix(alone.strip())


def text(event: Event, locale: str) -> str:
    (message,) = messages_about(event)
    return Templates().render(message.template, locale, {**message.params, "order_id": ORDER, "order_url": "u"})[1]


@pytest.mark.parametrize(("locale", "words"), [("zh", "人工审核"), ("en", "review it first")])
def test_a_buyer_learns_that_a_late_payment_waits_for_a_person(locale: str, words: str):
    waits = REOPENED.model_copy(update={"wait": Wait(step="review", attempt=2, until=NOW)})
    assert words in text(waits, locale)
    assert words not in text(REOPENED, locale)
    for shown in (text(waits, locale), text(REOPENED, locale)):
        assert "50.00 CNY" in shown


@pytest.mark.parametrize(("locale", "kept"), [("zh", "未交给买家"), ("en", "did not receive what")])
def test_staff_learn_which_orders_bought_a_key_that_a_supplier_sent(locale: str, kept: str):
    message = messages_about(DOUBLED)[0]
    for given in (0, 1):
        shown = Templates().render(message.template, locale, {**message.params, "given": given})
        assert "north" in shown[0]
        assert "order-7" in shown[1]
        assert (kept in shown[1]) == (given == 0)


def test_an_order_reopened_by_a_version_that_knew_no_address_tells_nobody():
    assert messages_about(REOPENED.model_copy(update={"amount": None})) == []


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_each_kind_of_other_payment_has_words_of_its_own(locale: str):
    kinds = ("amount-mismatch", "paid-twice", "contradiction", "wrong-reference")
    texts = {kind: text(DIFFERS.model_copy(update={"reason": kind}), locale) for kind in kinds}
    assert len(set(texts.values())) == len(kinds)
    assert texts["contradiction"] == text(DIFFERS.model_copy(update={"reason": "failed-after-paid"}), locale)
    assert texts["amount-mismatch"] == text(DIFFERS.model_copy(update={"reason": "currency-mismatch"}), locale)
    for kind in ("paid-twice", "wrong-reference", "contradiction"):
        assert "50.00 CNY" not in texts[kind]


def test_money_that_a_person_found_another_use_for_is_not_said_to_be_back():
    assert messages_about(BACK.model_copy(update={"returned": False})) == []


def test_an_endpoint_that_staff_disabled_alarms_nobody():
    assert messages_about(WebhookEndpointDisabled(endpoint_id="e-1", name="partner", reason="asked")) == []


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_each_finding_about_a_supplier_has_words_of_its_own(locale: str):
    texts = set()
    for finding in ("late-success", "late-failure", "other-cost", "other-reference", "doubtful-cost", "doubtful-goods"):
        (message, _) = messages_about(STATED.model_copy(update={"finding": finding}))
        _, text = Templates().render(message.template, locale, {**message.params, "order_id": ORDER})
        assert "50.00" in text
        texts.add(text)
    assert len(texts) == 6


def test_a_supplier_that_agrees_alarms_nobody():
    assert messages_about(STATED.model_copy(update={"finding": "agrees"})) == []


def test_reports_of_made_up_purchases_make_one_message_a_supplier_and_pause():
    (first, _), (second, _) = (
        messages_about(UNASKED),
        messages_about(UNASKED.model_copy(update={"request_id": "made-up/2#north"})),
    )

    assert first.message_id == second.message_id
    assert first.again_after_seconds is not None


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_what_can_not_be_read_makes_one_message_a_partner_and_pause_with_what_can(locale: str):
    (first, _), (second, _) = messages_about(UNREAD), messages_about(UNREAD.model_copy(update={"statement_id": "s-2"}))
    _, text = Templates().render(first.template, locale, first.params)

    assert first.message_id == second.message_id
    assert first.again_after_seconds is not None
    assert "status refunded" in text
    assert "/v1/payments/unread" in text


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_of_what_fits_no_payment_staff_hear_whether_money_waits(locale: str):
    sides = (("channel:alipay", 4_999), ("suspense:alipay", -4_999))
    booked = tuple(Posting(account=account, amount=Money(amount=fen)) for account, fen in sides)
    texts = set()
    for postings in (booked, ()):
        event = PaymentUnmatched(
            payment_id=ORDER, item="item-1", channel="alipay", channel_ref="r", callback_id="c", expected=FIFTY,
            amount=Money(amount=4_999), reason="amount-mismatch", order_id=ORDER, postings=postings,
        )  # fmt: skip
        (message, _) = messages_about(event)
        subject, text = Templates().render(message.template, locale, message.params)
        assert "item-1" in text
        texts.add(subject)
        assert ("49.99" in f"{subject}{text}") is bool(postings)
    assert len(texts) == 2


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_staff_learn_why_an_endpoint_was_disabled(locale: str):
    texts = set()
    for reason in ("failing", "gone"):
        event = WebhookEndpointDisabled.model_validate({"endpoint_id": "e-1", "name": "", "reason": reason})
        (message, _) = messages_about(event)
        subject, text = Templates().render(message.template, locale, message.params)
        assert "e-1" in subject
        texts.add(text)
    assert len(texts) == 2


def test_a_queued_message_is_sent_under_its_id():
    event = MessageQueued(
        message_id="m-1", channel="console", to="staff", template="stock-low", locale="zh", params={"available": 3},
        order_id=None, again_from=NOW + timedelta(hours=1),
    )  # fmt: skip
    (call,) = PLANS[MessageQueued](event, NOW)
    assert isinstance(call, CallExternal)
    assert (call.key, call.effect, call.at) == ("m-1", "send", None)
    assert call.payload["queued_at"] == "2026-01-01T08:00:00+00:00"
    assert MessageQueued.model_validate(call.payload) == event


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_a_buyer_reads_where_money_that_did_not_fit_went(locale: str):
    ends = ("matched", "wallet", "returned", "by-hand")
    assert len({text(PLACE_FOUND.model_copy(update={"how": end}), locale) for end in ends}) == len(ends)
    assert REACTIONS[PaymentDifferenceSettled](PLACE_FOUND.model_copy(update={"how": "corrected"})) == []
