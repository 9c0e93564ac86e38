"""The offers that orders are priced from: inventory's latest listings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from shared.contracts import Command, Event
from shared.contracts.inventory import Listing, ProductChanged, ProductListed, ProductPutOnSale, ProductTakenOffSale
from shared.contracts.order import PlaceOrder
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, Projection, RowCache

METADATA = sa.MetaData()
OFFERS = sa.Table(
    "offers",
    METADATA,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("listing", sa.Text, nullable=False),
    sa.Column("on_sale", sa.Boolean, nullable=False),
)
FOREIGN_EVENTS: tuple[type[Event], ...] = (ProductListed, ProductChanged, ProductPutOnSale, ProductTakenOffSale)


class OrderProjection(Projection):
    metadata = METADATA
    version = 2
    own_events = ()

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self.offers = self.rows(OFFERS)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[RowCache, Key]]:
        if isinstance(asked, PlaceOrder):
            for wish in asked.wishes:
                yield self.offers, (wish.sku,)

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        match event:
            case ProductListed() | ProductChanged():
                listing = event.listing
                self.offers.put({"sku": event.sku, "listing": listing.model_dump_json(), "on_sale": listing.on_sale})
            case ProductPutOnSale():
                self.offers.update(event.sku, on_sale=True)
            case ProductTakenOffSale():
                self.offers.update(event.sku, on_sale=False)

    def listings(self, skus: Iterable[str]) -> dict[str, Listing]:
        """The listings of these SKUs, without those that do not exist."""
        rows = self.offers.get_many((sku,) for sku in skus)
        return {row["sku"]: _listing(row["listing"], row["on_sale"]) for row in rows.values() if row is not None}


@lru_cache(maxsize=10_000)
def _listing(text: str, on_sale: bool) -> Listing:
    return Listing.model_validate_json(text).model_copy(update={"on_sale": on_sale})
