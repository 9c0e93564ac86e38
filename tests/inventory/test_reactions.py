from typing import Literal

from services.inventory.reactions import PLANS, REACTIONS
from shared.contracts import Cancel, Command, Event, ScheduleCommand
from shared.contracts.fulfillment import DeliveryFailed, KeysDelivered
from shared.contracts.inventory import (
    ExpireReservation,
    FaultKey,
    ReleaseStock,
    ReservedKey,
    ReserveStock,
    SettleStock,
    StockReleased,
    StockReserved,
    StockSettled,
)
from shared.contracts.order import OrderCancelled, OrderLine, OrderPlaced, OrderReopened, ReplacementRequested
from tests.amounts import minor
from tests.inventory.builders import LATER, NOW


def a_line(line: int, sku: str, quantity: int = 1, source: Literal["keys", "supplier", "manual"] = "keys") -> OrderLine:
    return OrderLine(
        line=line,
        sku=sku,
        name=sku,
        kind="card-key",
        source=source,
        quantity=quantity,
        unit_price=minor(100),
        amount=minor(100 * quantity),
    )


LINES = (a_line(1, "A", 2), a_line(2, "B", source="supplier"), a_line(3, "C"), a_line(4, "D", source="manual"))


def reserve(sku: str, line: int, quantity: int, attempt: int) -> ReserveStock:
    return ReserveStock(sku=sku, order_id="o1", line=line, quantity=quantity, attempt=attempt, expires_at=LATER)


def react(event: Event) -> list[Command]:
    return list(REACTIONS[type(event)](event))


def test_a_placed_order_reserves_its_lines_of_keys() -> None:
    placed = OrderPlaced(
        order_id="o1",
        customer="c1",
        lines=LINES,
        total=minor(500),
        payment="wallet",
        sales_channel="web",
        channel_order_no=None,
        buyer_key="k",
        ip="",
        device="",
        email="",
        locale="zh",
        agent=None,
        fingerprint="f",
        pay_by=LATER,
        reserved_until=LATER,
    )

    assert react(placed) == [reserve("A", 1, 2, attempt=1), reserve("C", 3, 1, attempt=1)]


def test_a_reopened_order_reserves_in_its_new_attempt() -> None:
    reopened = OrderReopened(order_id="o1", lines=LINES, attempt=2, reserved_until=LATER)

    assert react(reopened) == [reserve("A", 1, 2, attempt=2), reserve("C", 3, 1, attempt=2)]


def test_a_cancelled_order_releases_its_lines_of_keys() -> None:
    cancelled = OrderCancelled(order_id="o1", customer=None, reason="unpaid", paid=False, lines=LINES)

    assert react(cancelled) == [
        ReleaseStock(sku="A", order_id="o1", line=1, reason="unpaid"),
        ReleaseStock(sku="C", order_id="o1", line=3, reason="unpaid"),
    ]


def a_replacement(line: OrderLine) -> ReplacementRequested:
    return ReplacementRequested(order_id="o1", line=line, replaces=1, number=7, reason="invalid", reserved_until=LATER)


def test_a_replacement_faults_the_old_key_and_reserves_a_fresh_one() -> None:
    assert react(a_replacement(a_line(5, "A"))) == [
        FaultKey(sku="A", order_id="o1", number=7, reason="invalid"),
        reserve("A", 5, 1, attempt=1),
    ]


def test_a_replacement_that_is_not_from_keys_is_not_ours() -> None:
    assert react(a_replacement(a_line(5, "B", source="supplier"))) == []


def test_delivered_keys_are_settled() -> None:
    delivered = KeysDelivered(delivery_id="o1/1", order_id="o1", line=1, sku="A", numbers=(1, 2), envelope="e")

    assert react(delivered) == [SettleStock(sku="A", order_id="o1", line=1)]


def test_keys_that_could_not_be_opened_are_faulted_and_the_rest_released() -> None:
    failed = DeliveryFailed(delivery_id="o1/1", order_id="o1", line=1, sku="A", reason="unreadable", numbers=(2, 3))

    assert react(failed) == [
        FaultKey(sku="A", order_id="o1", number=2, reason="unreadable"),
        FaultKey(sku="A", order_id="o1", number=3, reason="unreadable"),
        ReleaseStock(sku="A", order_id="o1", line=1, reason="unreadable"),
    ]


def test_a_reservation_expires_later_unless_it_ends_before() -> None:
    reserved = StockReserved(
        sku="A", order_id="o1", line=1, attempt=2, keys=(ReservedKey(number=1, box="b"),), expires_at=LATER
    )
    released = StockReleased(sku="A", order_id="o1", line=1, numbers=(1,), reason="unpaid")
    settled = StockSettled(sku="A", order_id="o1", line=1, numbers=(1,))
    [later] = PLANS[StockReserved](reserved, NOW)

    assert later == ScheduleCommand(
        key="expiry/o1/1",
        command=ExpireReservation(sku="A", order_id="o1", line=1, attempt=2),
        at=LATER,
    )
    assert list(PLANS[StockReleased](released, NOW)) == [Cancel(key="expiry/o1/1")]
    assert list(PLANS[StockSettled](settled, NOW)) == [Cancel(key="expiry/o1/1")]
