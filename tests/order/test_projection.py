from __future__ import annotations

from datetime import UTC, datetime

from services.order.projection import METADATA, OrderProjection
from shared.contracts import Event
from shared.contracts.inventory import ProductChanged, ProductListed, ProductPutOnSale, ProductTakenOffSale
from shared.eventstore.recorded import RecordedEvent
from tests.amounts import yuan
from tests.databases import in_memory
from tests.order.builders import LISTINGS

CARD = LISTINGS["card"]


def fold(*events: Event) -> OrderProjection:
    connection = in_memory().connect()
    METADATA.create_all(connection)
    projection = OrderProjection(lambda: connection)
    for position, event in enumerate(events, start=1):
        data = event.model_dump_json()
        at = datetime(2026, 5, 1, tzinfo=UTC)
        projection.apply(
            event,
            RecordedEvent("inventory", position, "product-card", position, str(position), event.type(), data, "", at),
        )
    projection.flush()
    projection.forget()
    return projection


def test_a_listed_product_is_offered():
    projection = fold(ProductListed(sku="card", listing=CARD))
    assert projection.listings(["card", "unknown"]) == {"card": CARD}


def test_the_last_listing_counts():
    dearer = CARD.model_copy(update={"price": yuan(11)})
    projection = fold(ProductListed(sku="card", listing=CARD), ProductChanged(sku="card", listing=dearer))
    assert projection.listings(["card"])["card"].price == yuan(11)


def test_sale_ends_and_begins():
    listed, off, on = (
        ProductListed(sku="card", listing=CARD),
        ProductTakenOffSale(sku="card"),
        ProductPutOnSale(sku="card"),
    )
    assert not fold(listed, off).listings(["card"])["card"].on_sale
    assert fold(listed, off, on).listings(["card"])["card"].on_sale
