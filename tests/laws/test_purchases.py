"""OnePurchase, as the log and as the suppliers tell it."""

from __future__ import annotations

import pytest

from laws import SupplierPurchase, one_purchase
from shared.contracts import Event
from shared.contracts.fulfillment import DeliveryResolved, PurchaseRequested
from tests.laws.builders import asked, bought, broken, cost_posted, delivery_failed, finding, refused

BY_HAND = DeliveryResolved(delivery_id="o-1/1", order_id="o-1", line=1, sku="TOP-UP", note="by phone")


@pytest.mark.parametrize(
    "history",
    [
        [asked("o-1", "north"), bought("o-1", "north")],
        [asked("o-1", "north"), refused("o-1", "north"), asked("o-1", "south"), bought("o-1", "south")],
        [asked("o-1", "north"), BY_HAND],
        [asked("o-1", "north"), asked("o-2", "north"), delivery_failed("o-1")],
    ],
)
def test_one_supplier_after_the_other(history: list[Event]) -> None:
    assert broken(*history) == {}
    assert finding("OnePurchase", *history).checked == sum(isinstance(event, PurchaseRequested) for event in history)


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        ([asked("o-1", "north"), asked("o-1", "south")], "o-1/1 was asked of south while north may deliver it"),
        (
            [asked("o-1", "north"), refused("o-1", "north"), asked("o-1", "north")],
            "o-1/1 was asked of north twice",
        ),
        (
            [asked("o-1", "north"), bought("o-1", "north"), asked("o-1", "south")],
            "o-1/1 was asked of south and is bought",
        ),
        (
            [asked("o-1", "north"), bought("o-1", "north"), bought("o-1", "north")],
            "o-1/1 was bought twice, now from north",
        ),
        (
            [asked("o-1", "north"), bought("o-1", "south")],
            "o-1/1 was delivered by south, which was not to deliver it",
        ),
        (
            [asked("o-1", "north"), refused("o-1", "north"), bought("o-1", "north")],
            "o-1/1 was delivered by north, which was not to deliver it",
        ),
        ([asked("o-1", "north"), BY_HAND, bought("o-1", "north")], "o-1/1 was delivered by north"),
        (
            [asked("o-1", "north"), refused("o-1", "south")],
            "south failed to deliver o-1/1",
        ),
        ([asked("o-1", "north", "o-1/1#north#2")], "o-1/1 was asked of north under another id: o-1/1#north#2"),
    ],
)
def test_a_second_purchase_is_named_at_the_event(history: list[Event], complaint: str) -> None:
    assert broken(*history[:-1]) == {}

    (said,) = broken(*history)["OnePurchase"]
    assert said.startswith(complaint)
    assert said.endswith(f"(fulfillment {len(history)})")


def test_a_supplier_is_owed_its_cost_once() -> None:
    purchase = [asked("o-1", "north"), bought("o-1", "north")]

    assert finding("OnePurchase", *purchase, drained=True).violations == (
        "the cost of o-1/1#north is known to fulfillment only",
    )
    assert finding("OnePurchase", *purchase, cost_posted("o-1", 950), drained=True).ok
    for wrong in ([cost_posted("o-1", 949)], [cost_posted("o-1", 950)] * 2):
        assert finding("OnePurchase", *purchase, *wrong).broken == 1


NORTH = SupplierPurchase("north", "o-1/1#north", 1)


def test_suppliers_sold_each_line_once() -> None:
    purchases = [NORTH, SupplierPurchase("south", "o-1/1#south", 0), SupplierPurchase("south", "o-2/1#south", 1)]

    found = one_purchase(purchases, delivered=["o-1/1"], by_hand=["o-2/1"])

    assert (found.ok, found.checked) == (True, 2)


@pytest.mark.parametrize(
    ("purchases", "delivered", "complaint"),
    [
        ([NORTH, SupplierPurchase("south", "o-1/1#south", 1)], None, "o-1/1 was bought 2 times: north, south"),
        ([SupplierPurchase("north", "o-1/1#north", 2)], None, "o-1/1 was bought 2 times: north, north"),
        ([NORTH], ["o-1/1", "o-2/1"], "o-2/1 was delivered and never bought"),
        ([NORTH], [], "o-1/1 was bought and never delivered"),
    ],
)
def test_what_suppliers_sold_otherwise_is_named(
    purchases: list[SupplierPurchase], delivered: list[str] | None, complaint: str
) -> None:
    assert one_purchase(purchases, delivered).violations == (complaint,)
