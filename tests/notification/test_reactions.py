"""Who is told of what."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.notification.adapters.templates import Templates
from services.notification.reactions import PLANS, REACTIONS, message_id
from shared.contracts import Call, Event, Money, zero
from shared.contracts.fulfillment import DeliveryHandedOver
from shared.contracts.gateway import WebhookEndpointDisabled
from shared.contracts.inventory import StockRanLow
from shared.contracts.ledger import PaymentOpeningFailed, ReturnFailed
from shared.contracts.notification import MessageQueued, SendMessage
from shared.contracts.order import CancelReason, DeliveryOverdue, OrderCancelled, OrderCompleted, RefundRecorded
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
FOR_BUYERS: list[Event] = [COMPLETED, CANCELLED, REFUNDED]
FOR_STAFF: list[Event] = [
    StockRanLow(sku="SKU-1", available=3, threshold=5),
    DeliveryHandedOver(delivery_id=f"{ORDER}/1", order_id=ORDER, line=1, sku="SKU-1", reason="no supplier left"),
    CaseOpened(order_id=ORDER, amount=FIFTY, reasons=("list:watch:ip:203.0.113.7",)),
    DeliveryOverdue(order_id=ORDER, lines=(1, 3)),
    ReturnFailed(payment_id=ORDER, return_id="r-1", amount=FIFTY, reason="account closed"),
    PaymentOpeningFailed(payment_id=ORDER, reason="channel down"),
    WebhookEndpointDisabled(endpoint_id="e-1", name="partner", reason="failing"),
]


def told(event: Event) -> list[SendMessage]:
    commands = list(REACTIONS[type(event)](event))
    assert all(isinstance(command, SendMessage) for command in commands)
    return [command for command in commands if isinstance(command, SendMessage)]


@pytest.mark.parametrize("event", FOR_BUYERS, ids=lambda event: type(event).__name__)
def test_a_buyer_is_told_by_mail_in_their_language(event: Event):
    (message,) = told(event)
    assert (message.channel, message.to, message.order_id) == ("email", "b@example.org", ORDER)
    assert message.locale == ("en" if event is CANCELLED else "zh")


@pytest.mark.parametrize("event", FOR_BUYERS, ids=lambda event: type(event).__name__)
def test_a_buyer_without_an_address_is_not_told(event: Event):
    assert told(event.model_copy(update={"email": ""})) == []


@pytest.mark.parametrize("event", FOR_STAFF, ids=lambda event: type(event).__name__)
def test_staff_is_told_on_the_console_and_by_webhook(event: Event):
    messages = told(event)
    assert [(message.to, message.channel) for message in messages] == [("staff", "console"), ("staff", "webhook")]
    assert len({message.message_id for message in messages}) == 2


@pytest.mark.parametrize("event", FOR_BUYERS + FOR_STAFF, ids=lambda event: type(event).__name__)
def test_the_same_event_makes_the_same_messages_and_each_has_its_texts(event: Event):
    assert told(event) == told(event.model_copy())
    for message in told(event):
        for locale in ("zh", "en"):
            known = {**message.params, "order_id": ORDER, "order_url": f"https://shop.example/orders/{ORDER}"}
            subject, text = Templates().render(message.template, locale, known)
            assert subject
            assert text.strip()


@pytest.mark.parametrize("reason", CancelReason.__args__)
def test_every_reason_of_a_cancellation_has_words(reason: str):
    (message,) = told(CANCELLED.model_copy(update={"reason": reason}))
    for locale in ("zh", "en"):
        _, text = Templates().render(message.template, locale, {**message.params, "order_id": ORDER, "order_url": "u"})
        assert reason not in ("unpaid", "short-stock") or reason not in text


def test_an_order_cancelled_again_for_another_reason_is_told_again():
    again = CANCELLED.model_copy(update={"reason": "short-stock", "paid": True})
    assert told(CANCELLED)[0].message_id != told(again)[0].message_id


def test_ids_of_different_things_differ_and_are_never_too_long():
    long, longer = "o" * 80, "o" * 79 + "p"
    ids = {message_id("order-completed", order_id) for order_id in ("1", "2", long, longer)}
    assert len(ids) == 4
    assert all(len(one) <= 80 for one in ids)
    assert told(COMPLETED.model_copy(update={"order_id": long}))[0].message_id in ids


def test_what_may_happen_again_is_told_again_after_a_while():
    again = {StockRanLow: 600, WebhookEndpointDisabled: 60}
    for event in FOR_STAFF:
        assert {message.again_after_seconds for message in told(event)} == {again.get(type(event))}


def test_an_endpoint_that_staff_disabled_alarms_nobody():
    assert told(WebhookEndpointDisabled(endpoint_id="e-1", name="partner", reason="asked")) == []


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_why_an_endpoint_was_disabled_is_told(locale: str):
    texts = set()
    for reason in ("failing", "gone"):
        event = WebhookEndpointDisabled.model_validate({"endpoint_id": "e-1", "name": "", "reason": reason})
        (message, _) = told(event)
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
    assert isinstance(call, Call)
    assert (call.key, call.effect, call.at) == ("m-1", "send", None)
    assert call.payload["queued_at"] == "2026-01-01T08:00:00+00:00"
    assert MessageQueued.model_validate(call.payload) == event
