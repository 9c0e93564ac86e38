from __future__ import annotations

from services.order.reactions import PLANS, REACTIONS
from services.order.service import SERVICE
from shared.contracts import Cancel, Money, ScheduleCommand, commands
from shared.contracts.fulfillment import DeliveryFailed, DeliveryResolved, KeysDelivered, SupplierDelivered
from shared.contracts.inventory import ReservationExpired, ReservedKey, StockReserved, StockShort
from shared.contracts.ledger import UNTOLD, FundsHeld, FundsRefunded, HoldRefused, PaymentUnmatched, Posting
from shared.contracts.order import (
    CancelOrder,
    MeetDeadline,
    RecordDelivery,
    RecordPayment,
    RecordRefund,
    RecordReservation,
    RecordReservationExpiry,
    RecordScreening,
)
from shared.contracts.risk import CaseDecided, OrderScreened
from tests.amounts import yuan
from tests.order.builders import NOW, TIME_LIMITS, Life, confirmed, delivered, held, placed, screened

PRICE = yuan(10)


def reaction(event) -> list:
    return list(REACTIONS[type(event)](event))


def plans(life: Life) -> list:
    return list(PLANS[type(life.history[-1])](life.history[-1], NOW))


def test_risk_decides():
    screened = OrderScreened(
        order_id="o1", customer=None, ip="", device="", targets=(), amount=PRICE, decision="review", reasons=("new",)
    )
    assert reaction(screened) == [RecordScreening(order_id="o1", decision="review", reasons=("new",))]
    assert reaction(CaseDecided(order_id="o1", decision="pass", note="known")) == [
        RecordScreening(order_id="o1", decision="pass", reasons=("known",))
    ]


def test_inventory_reserves_or_not():
    line = {"sku": "card", "order_id": "o1", "line": 1, "attempt": 2}
    keys = (ReservedKey(number=4, box="b"), ReservedKey(number=5, box="b"))
    assert reaction(StockReserved(**line, keys=keys, expires_at=NOW)) == [
        RecordReservation(order_id="o1", line=1, attempt=2, reserved=True, numbers=(4, 5))
    ]
    assert reaction(StockShort(**line, quantity=2, available=1)) == [
        RecordReservation(order_id="o1", line=1, attempt=2, reserved=False)
    ]
    assert reaction(ReservationExpired(**line)) == [RecordReservationExpiry(order_id="o1", line=1, attempt=2)]


def test_the_ledger_holds_or_not_and_gives_back():
    assert reaction(FundsHeld(order_id="o1", account="wallet:ann", amount=PRICE)) == [
        RecordPayment(order_id="o1", held=True)
    ]
    refused = HoldRefused(order_id="o1", account="wallet:ann", amount=PRICE, available=Money(amount=99))
    assert reaction(refused) == [RecordPayment(order_id="o1", held=False, reason="0.99 CNY is available")]
    postings = (Posting(account="refunds:main", amount=PRICE), Posting(account="wallet:ann", amount=-PRICE))
    refunded = FundsRefunded(order_id="o1", refund_id="r1", account="wallet:ann", amount=PRICE, postings=postings)
    assert reaction(refunded) == [RecordRefund(order_id="o1", refund_id="r1", amount=PRICE)]


def test_fulfillment_delivers_or_not():
    line = {"delivery_id": "o1/1", "order_id": "o1", "line": 1, "sku": "card"}
    done = RecordDelivery(order_id="o1", line=1, delivered=True)
    assert reaction(KeysDelivered(**line, numbers=(4,), envelope="e")) == [done.model_copy(update={"numbers": (4,)})]
    assert reaction(SupplierDelivered(**line, supplier="acme", supplier_ref="x", cost=PRICE)) == [done]
    assert reaction(DeliveryResolved(**line, note="by hand")) == [done]
    assert reaction(DeliveryFailed(**line, reason="unreadable", numbers=(4,))) == [
        RecordDelivery(order_id="o1", line=1, delivered=False, reason="unreadable")
    ]


def test_each_wait_takes_the_place_of_the_one_before():
    life = placed()
    assert plans(life) == [
        ScheduleCommand(
            "deadline/o1", MeetDeadline(order_id="o1", step="payment", attempt=1), NOW + TIME_LIMITS.pay_within
        )
    ]
    assert plans(life.all(held())) == [
        ScheduleCommand(
            "deadline/o1", MeetDeadline(order_id="o1", step="answers", attempt=1), NOW + TIME_LIMITS.answer_within
        )
    ]
    assert plans(life.all(screened())) == []
    assert plans(confirmed()) == [
        ScheduleCommand(
            "deadline/o1", MeetDeadline(order_id="o1", step="delivery", attempt=1), NOW + TIME_LIMITS.deliver_within
        )
    ]


def test_the_end_of_an_order_ends_its_waits():
    assert plans(placed().all(CancelOrder(order_id="o1"))) == [Cancel("deadline/o1")]
    assert plans(confirmed().all(delivered(1, (4,)))) == [Cancel("deadline/o1")]


def test_the_service_decides_every_command_of_its_contract():
    own = {command for command in commands().values() if command.owner == "order"}
    assert own == set(SERVICE.aggregates[0].commands)
    assert SERVICE.sources() == ("fulfillment", "inventory", "ledger", "risk")


def test_a_buyer_hears_of_other_money_and_not_of_what_nobody_understands():
    unmatched = PaymentUnmatched(
        payment_id="o1", item="i", channel="wechat", channel_ref="r", callback_id="c", amount=yuan(9), expected=PRICE,
        reason="amount-mismatch", order_id="o1", postings=(),
    )  # fmt: skip
    assert len(reaction(unmatched)) == 1
    for reason in UNTOLD:
        assert reaction(unmatched.model_copy(update={"reason": reason})) == []
