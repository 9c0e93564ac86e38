from datetime import timedelta

from services.fulfillment.reactions import PLANS, REACTIONS
from services.fulfillment.service import SERVICE
from shared.contracts import CallExternal, Cancel, Event
from shared.contracts.fulfillment import (
    DeliverLine,
    DeliveryHandedOver,
    RecordPurchaseUnknown,
    ResolveDelivery,
    SupplierStatementRecorded,
    TakeKeys,
)
from shared.contracts.inventory import StockReserved
from shared.contracts.order import OrderConfirmed, ReplacementConfirmed
from tests.fulfillment.builders import BUYER, ID, NOW, deliver_by, given, order_line, report, reserved

REQUEST = "order-1/1#north"


def plans(event: Event) -> list:
    return list(PLANS[type(event)](event, NOW))


def test_it_hears_inventory_and_order_only() -> None:
    assert SERVICE.sources() == ("inventory", "order")


def test_reserved_stock_is_taken() -> None:
    event = StockReserved(
        sku="sku-1", order_id="order-1", line=3, attempt=2, keys=reserved(7), expires_at=NOW + timedelta(hours=1)
    )

    assert list(REACTIONS[StockReserved](event)) == [
        TakeKeys(delivery_id="order-1/3", order_id="order-1", line=3, attempt=2, sku="sku-1", keys=reserved(7))
    ]


def test_every_confirmed_line_is_delivered() -> None:
    lines = (order_line(), order_line("manual").model_copy(update={"line": 2}))
    event = OrderConfirmed(order_id="order-1", customer=None, lines=lines, attempt=2, buyer_key=BUYER.public)

    commands = list(REACTIONS[OrderConfirmed](event))
    assert [command.partition_key() for command in commands] == ["order-1/1", "order-1/2"]
    assert all(isinstance(command, DeliverLine) and command.attempt == 2 for command in commands)


def test_a_confirmed_replacement_is_delivered_from_its_only_attempt() -> None:
    event = ReplacementConfirmed(order_id="order-1", customer=None, line=order_line(), buyer_key=BUYER.public)

    [command] = REACTIONS[ReplacementConfirmed](event)
    assert isinstance(command, DeliverLine)
    assert command.attempt == 1


def test_a_purchase_is_called_once_under_its_request_id() -> None:
    [call] = plans(given(deliver_by("north"))[-1])

    assert isinstance(call, CallExternal)
    assert (call.key, call.effect, call.at) == (REQUEST, "purchase", None)
    assert call.payload["target"] == "ok:13800000000"
    assert call.effect in SERVICE.effects


def test_polling_takes_the_place_of_the_purchase_call() -> None:
    [call] = plans(given(deliver_by("north"), report("north", "pending"))[-1])

    assert isinstance(call, CallExternal)
    assert (call.key, call.effect, call.at) == (REQUEST, "poll_purchase", NOW + timedelta(seconds=1))
    assert call.effect in SERVICE.effects


def test_a_settled_purchase_is_asked_about_no_more() -> None:
    stop = [Cancel(REQUEST), Cancel(f"again/{REQUEST}")]
    late = given(deliver_by("north"), report("north", "failed"), report("north", "done"))

    assert plans(given(deliver_by("north"), report("north", "done"))[-1]) == stop
    assert plans(late[-1]) == stop


def test_a_purchase_that_failed_is_looked_up_again() -> None:
    cancelled, call = plans(given(deliver_by("north", "south"), report("north", "failed"))[-2])

    assert cancelled == Cancel(REQUEST)
    assert isinstance(call, CallExternal)
    assert (call.key, call.effect, call.at) == (f"again/{REQUEST}", "look_again", NOW + timedelta(seconds=30))
    assert call.effect in SERVICE.effects


def test_a_purchase_whose_supplier_says_no_after_a_person_has_delivered_is_looked_up_again() -> None:
    by_hand = ResolveDelivery(delivery_id=ID, delivered=True, note="by hand")
    silent = RecordPurchaseUnknown(delivery_id=ID, supplier="north", reason="time-out")
    events = given(deliver_by("north"), silent, by_hand, report("north", "failed"))

    assert isinstance(events[-1], SupplierStatementRecorded)
    cancelled, call = plans(events[-1])
    assert cancelled == Cancel(REQUEST)
    assert isinstance(call, CallExternal)
    assert (call.key, call.effect) == (f"again/{REQUEST}", "look_again")


def test_a_purchase_of_unknown_outcome_is_looked_up_again_beside_the_person() -> None:
    over = DeliveryHandedOver(
        delivery_id="order-1/1", order_id="order-1", line=1, sku="sku-1", reason="time-out", supplier="north"
    )

    cancelled, call = plans(over)
    assert cancelled == Cancel(REQUEST)
    assert isinstance(call, CallExternal)
    assert call.key == f"again/{REQUEST}"
    assert plans(over.model_copy(update={"supplier": None})) == []
