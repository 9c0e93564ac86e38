"""Inventory alone on its log: what the pure rooms and the tables do together."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.inventory.service import SERVICE
from shared.contracts.inventory import (
    KeyFaulted,
    ListProduct,
    LoadKeys,
    ReservationExpired,
    ReservedKey,
    ReserveStock,
    StockReserved,
    StockSettled,
)
from tests.inventory.builders import SKU, a_listing, fault, load, sealed, settle
from tests.platform.harness import START, Harness

UNTIL = START + timedelta(hours=1)


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    opened = Harness(tmp_path, [SERVICE])
    opened.send("inventory", ListProduct(sku=SKU, listing=a_listing()))
    return opened


def reserve(order: str, quantity: int) -> ReserveStock:
    return ReserveStock(sku=SKU, order_id=order, line=1, quantity=quantity, expires_at=UNTIL)


def test_keys_go_in_and_out_with_their_boxes_across_a_restart(harness: Harness) -> None:
    harness.send("inventory", load("a", "b", "c"))
    harness.send("inventory", reserve("o1", 2))

    again = Harness(harness.folder, [SERVICE])
    again.send("inventory", reserve("o2", 1))

    boxes = [event.keys for event in again.events("inventory", StockReserved) if isinstance(event, StockReserved)]
    assert boxes == [
        (ReservedKey(number=1, box="box-a"), ReservedKey(number=2, box="box-b")),
        (ReservedKey(number=3, box="box-c"),),
    ]
    assert not again.parked()


def test_a_key_is_loaded_once_under_whatever_sku(harness: Harness) -> None:
    harness.send("inventory", ListProduct(sku="OTHER", listing=a_listing(sku="OTHER")))
    harness.send("inventory", load("a", "b"))

    reply = harness.send("inventory", LoadKeys(sku="OTHER", batch_id="b1", keys=sealed("b", "c")))

    assert reply.answer == {"loaded": 1, "duplicates": [0]}


def test_a_sold_key_is_faulted_for_its_order_alone(harness: Harness) -> None:
    harness.send("inventory", load("a"))
    harness.send("inventory", reserve("o1", 1))
    harness.send("inventory", settle("o1"))
    harness.send("inventory", fault("o2", 1))
    harness.send("inventory", fault("o1", 1))

    assert harness.events("inventory", KeyFaulted) == [KeyFaulted(sku=SKU, order_id="o1", number=1, reason="invalid")]


def test_a_reservation_proposes_its_end_in_time(harness: Harness) -> None:
    harness.send("inventory", load("a", "b"))
    harness.send("inventory", reserve("o1", 1))
    harness.send("inventory", reserve("o2", 1))
    harness.send("inventory", settle("o2"))

    harness.advance(3599)
    assert harness.events("inventory", ReservationExpired) == []
    harness.advance(1)

    assert harness.events("inventory", ReservationExpired) == [
        ReservationExpired(sku=SKU, order_id="o1", line=1, attempt=1)
    ]
    assert len(harness.events("inventory", StockSettled)) == 1
    assert not harness.parked()


def test_keys_that_expired_overnight_are_not_sold(harness: Harness) -> None:
    harness.send("inventory", load("a", expires_on=START.date()))
    harness.advance(86_400)

    harness.send("inventory", reserve("o1", 1))

    assert harness.events("inventory", StockReserved) == []
    assert not harness.parked()


def test_a_key_that_a_version_before_loaded_as_it_was_written_is_a_duplicate_of_its_canonical_form(
    harness: Harness,
) -> None:
    harness.send("inventory", load("as-written"))

    both = load("other", "canonical").model_copy(update={"as_written": ("", "hash-as-written")})

    assert harness.send("inventory", both).answer == {"loaded": 1, "duplicates": [1]}
