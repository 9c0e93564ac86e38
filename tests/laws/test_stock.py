"""NoOversell and KeyOnce."""

from __future__ import annotations

import pytest

from shared.contracts import Event
from shared.contracts.inventory import KeyFaulted, KeysSupplied, KeysWithdrawn, StockReleased
from tests.laws.builders import SKU, asked, bought, broken, finding, keys_delivered, loaded, reserved, settled


def released(order_id: str, *numbers: int) -> StockReleased:
    return StockReleased(sku=SKU, order_id=order_id, line=1, numbers=numbers, reason="cancelled")


def faulted(order_id: str, number: int) -> KeyFaulted:
    return KeyFaulted(sku=SKU, order_id=order_id, number=number, reason="used before")


STOCK = loaded("a", "b", "c")


@pytest.mark.parametrize(
    "history",
    [
        [STOCK, reserved("o-1", 1), released("o-1", 1), reserved("o-2", 1), settled("o-2", 1)],
        [STOCK, loaded("d", first=4), reserved("o-1", 4), reserved("o-2", 1, 2)],
        [STOCK, reserved("o-1", 1, 2), faulted("o-1", 1), settled("o-1", 2), faulted("o-1", 2)],
    ],
)
def test_stock_may_be_reserved_released_and_sold(history: list[Event]) -> None:
    assert broken(*history) == {}
    assert finding("NoOversell", *history).checked >= 3


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        ([STOCK, loaded("d", first=3)], "CARD was loaded from 3 after 3"),
        ([STOCK, reserved("o-1", 4)], "key 4 of CARD was reserved for o-1/1 and never loaded"),
        ([STOCK, reserved("o-1", 0)], "key 0 of CARD was reserved for o-1/1 and never loaded"),
        ([STOCK, reserved("o-1", 1), reserved("o-2", 1)], "key 1 of CARD was reserved for o-2/1 and is o-1/1's"),
        ([STOCK, reserved("o-1", 1, 1)], "key 1 of CARD was reserved for o-1/1 and is o-1/1's"),
        (
            [STOCK, reserved("o-1", 1), settled("o-1", 1), reserved("o-2", 1)],
            "key 1 of CARD was reserved for o-2/1 and is out of stock",
        ),
        (
            [STOCK, reserved("o-1", 1), faulted("o-1", 1), reserved("o-2", 1)],
            "key 1 of CARD was reserved for o-2/1 and is out of stock",
        ),
        (
            [STOCK, reserved("o-1", 1), settled("o-1", 1), released("o-1", 1)],
            "key 1 of CARD was released, and not reserved for o-1/1",
        ),
        ([STOCK, reserved("o-1", 1), settled("o-2", 1)], "key 1 of CARD was sold to o-2/1 without its reservation"),
        ([STOCK, faulted("o-1", 1)], "key 1 of CARD was faulted and never was o-1's"),
    ],
)
def test_oversold_stock_is_named_at_the_event(history: list[Event], complaint: str) -> None:
    assert broken(*history[:-1]) == {}

    position = len(history)
    assert broken(*history)["NoOversell"] == (f"{complaint} (inventory {position})",)


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (
            [keys_delivered("o-1", 1), keys_delivered("o-2", 1)],
            "key 1 of CARD went to o-2/1 and was delivered before (fulfillment 2)",
        ),
        ([keys_delivered("o-1", 1), keys_delivered("o-1", 2)], "o-1/1 was delivered twice (fulfillment 2)"),
        (
            [keys_delivered("o-1", 7, 7)],
            "key 7 of CARD went to o-1/1 and was delivered before (fulfillment 1)",
        ),
        ([STOCK, loaded("b", first=4)], "key 4 of CARD was in stock already (inventory 2)"),
        (
            [STOCK, reserved("o-1", 1), settled("o-1", 1), keys_delivered("o-2", 1)],
            "key 1 of CARD is o-1's and was delivered for o-2 (fulfillment 1)",
        ),
        (
            [keys_delivered("o-2", 1), STOCK, reserved("o-1", 1), settled("o-1", 1)],
            "key 1 of CARD is o-1's and was delivered for o-2 (inventory 3)",
        ),
    ],
)
def test_a_key_that_goes_out_twice_is_named_at_the_event(history: list[Event], complaint: str) -> None:
    assert "KeyOnce" not in broken(*history[:-1])

    assert broken(*history)["KeyOnce"] == (complaint,)


def supplied(order_id: str, *indexes: str) -> list[Event]:
    """A purchase of one piece, and what came."""
    return [asked(order_id, "north"), bought(order_id, "north").model_copy(update={"indexes": indexes})]


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (supplied("o-1", "a", "b"), "o-1/1 got 2 texts from north, and 1 were asked for (fulfillment 2)"),
        (supplied("o-1", ""), "text 1 from north went to o-1/1 and can be no key (fulfillment 2)"),
        (
            [*supplied("o-1", "a"), *supplied("o-2", "a")],
            "text 1 from north went to o-2/1 and was delivered before (fulfillment 4)",
        ),
    ],
)
def test_texts_that_no_supplier_may_deliver_are_named_at_the_event(history: list[Event], complaint: str) -> None:
    assert "KeyOnce" not in broken(*history[:-1])
    assert broken(*history)["KeyOnce"] == (complaint,)
    assert "KeyOnce" not in broken(*supplied("o-1", "a"), *supplied("o-2", "b"), *supplied("o-3"))


def test_a_delivered_key_leaves_stock_in_the_end() -> None:
    history = [STOCK, reserved("o-1", 1), keys_delivered("o-1", 1)]

    assert finding("KeyOnce", *history).under_way == 1
    assert finding("KeyOnce", *history, drained=True).violations == (
        "key 1 of CARD was delivered for o-1 and is still in stock",
    )
    for end in (settled("o-1", 1), faulted("o-1", 1)):
        assert finding("KeyOnce", *history, end, drained=True).ok


def test_a_key_faulted_after_its_sale_leaves_nothing_open() -> None:
    history = [STOCK, reserved("o-1", 1), keys_delivered("o-1", 1), settled("o-1", 1), faulted("o-1", 1)]

    assert finding("KeyOnce", *history, drained=True).ok
    assert finding("NoOversell", *history, drained=True).ok


SOLD = [reserved("o-1", 1), keys_delivered("o-1", 1), settled("o-1", 1)]
SENT = KeysSupplied(sku="CARD", delivery_id="o-2/1", supplier="north", given=True, numbers=(1,))


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (
            [loaded("a"), *SOLD, *supplied("o-2", "a")],
            "key 1 of CARD was delivered, and its text as a supplier's (fulfillment 3)",
        ),
        (
            [*SOLD[1:2], *supplied("o-2", "a"), loaded("a")],
            "key 1 of CARD was delivered, and its text as a supplier's (inventory 1)",
        ),
        (
            [*supplied("o-2", "a"), loaded("a"), *SOLD[:2]],
            "key 1 of CARD went to o-1/1, and its text as a supplier's (fulfillment 3)",
        ),
    ],
)
def test_a_text_that_goes_out_of_stock_and_from_a_supplier_is_named(history: list[Event], complaint: str) -> None:
    assert "KeyOnce" not in broken(*history[:-1])
    assert broken(*history)["KeyOnce"] == (complaint,)


def test_stock_says_in_the_end_which_of_its_keys_suppliers_sent() -> None:
    for history in ([loaded("a"), *supplied("o-2", "a")], [*supplied("o-2", "a"), loaded("a")]):
        assert finding("KeyOnce", *history, drained=True).violations == (
            "a supplier sent the text of key 1 of CARD, and stock does not say so",
        )
        assert finding("KeyOnce", *history, SENT, drained=True).ok
        assert finding("KeyOnce", SENT, *history, drained=True).ok


def test_a_withdrawn_key_is_reserved_no_more() -> None:
    withdrawn = KeysWithdrawn(sku="CARD", numbers=(1,))

    assert finding("NoOversell", loaded("a"), withdrawn).ok
    assert "NoOversell" in broken(loaded("a"), withdrawn, reserved("o-1", 1))
    assert "NoOversell" in broken(loaded("a"), reserved("o-1", 1), withdrawn)
    assert "NoOversell" in broken(loaded("a"), withdrawn, withdrawn)
