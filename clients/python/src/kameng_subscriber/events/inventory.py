# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `inventory` tells."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from kameng_subscriber.events.common import Money
from kameng_subscriber.models import EventData, Model

__all__ = [
    "KeyFaulted",
    "KeysExpired",
    "KeysLoaded",
    "KeysSupplied",
    "KeysWithdrawn",
    "Listing",
    "PositionLost",
    "ProductChanged",
    "ProductListed",
    "ProductPutOnSale",
    "ProductTakenOffSale",
    "ReservationExpired",
    "ReservedKey",
    "SealedKey",
    "SoldKey",
    "StockKey",
    "StockRanLow",
    "StockReleased",
    "StockReserved",
    "StockSettled",
    "StockShort",
    "TextsFound",
    "Tier",
]


class ReservedKey(Model):
    """One key of a SKU: its number in the order of loading, from 1, and its sealed text."""

    number: int
    box: str


class SealedKey(Model):
    """A card key that only fulfillment can open (`box`), and the keyed hash that finds duplicates (`index`)."""

    index: str
    box: str


class KeyFaulted(EventData, event_type="kameng.inventory.KeyFaulted.v1", event_key="sku"):
    """A sold key turned out to be invalid."""

    sku: str
    order_id: str
    number: int
    reason: str


class KeysExpired(EventData, event_type="kameng.inventory.KeysExpired.v1", event_key="sku"):
    """The last day of `count` unsold keys is over: they are not sold any more. `available` is what is left."""

    sku: str
    expires_on: date
    count: int
    available: int


class KeysLoaded(EventData, event_type="kameng.inventory.KeysLoaded.v1", event_key="sku"):
    """Keys got the numbers `first`, `first + 1`, ... in the order of `keys`. They are over from `over_from` on, the end
    of `expires_on` where the shop is."""

    sku: str
    batch_id: str
    first: int
    keys: tuple[SealedKey, ...]
    supplier: str | None = None
    cost: Money | None = None
    expires_on: date | None = None
    over_from: datetime | None = None


class SoldKey(Model):
    """A key that was sold, by its number, and to which order."""

    number: int
    order_id: str


class KeysSupplied(EventData, event_type="kameng.inventory.KeysSupplied.v1", event_key="sku"):
    """A supplier sent, for a delivery, the texts of these keys of ours. Those for sale are withdrawn, those reserved
    once they come back; `sold` were sold already. `given`: what the supplier sent went to the delivery's buyer; else it
    is kept for a person."""

    sku: str
    delivery_id: str
    supplier: str
    given: bool
    numbers: tuple[int, ...]
    sold: tuple[SoldKey, ...] = ()


class KeysWithdrawn(EventData, event_type="kameng.inventory.KeysWithdrawn.v1", event_key="sku"):
    """Keys that were for sale are not sold any more, since a supplier sent their texts."""

    sku: str
    numbers: tuple[int, ...]


class Tier(Model):
    """Wholesale: from `from_quantity` pieces on, each costs `price`."""

    from_quantity: int
    price: Money


class Listing(Model):
    """All that is said of a product. `source` says where a delivery comes from: own keys, a supplier, a person."""

    sku: str
    name: str
    kind: Literal["card-key", "top-up", "activation-code", "membership", "course", "bill-payment", "custom"] | str = (
        "card-key"
    )
    source: Literal["keys", "supplier", "manual"] | str = "keys"
    category: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    face_value: Money | None = None
    price: Money
    tiers: tuple[Tier, ...] = ()
    cost: Money | None = None
    suppliers: tuple[str, ...] = ()
    per_order_limit: int = 2000
    low_stock_threshold: int = 0
    on_sale: bool = True


class ProductChanged(EventData, event_type="kameng.inventory.ProductChanged.v1", event_key="sku"):
    """The listing of a product changed; `listing` is all of it as it is now."""

    sku: str
    listing: Listing


class ProductListed(EventData, event_type="kameng.inventory.ProductListed.v1", event_key="sku"):
    """A product was listed for the first time."""

    sku: str
    listing: Listing


class ProductPutOnSale(EventData, event_type="kameng.inventory.ProductPutOnSale.v1", event_key="sku"):
    """A product can be ordered again."""

    sku: str


class ProductTakenOffSale(EventData, event_type="kameng.inventory.ProductTakenOffSale.v1", event_key="sku"):
    """A product can't be ordered any more; what was ordered before goes on."""

    sku: str


class ReservationExpired(EventData, event_type="kameng.inventory.ReservationExpired.v1", event_key="sku"):
    """A proposal to the order, which alone may give the stock up: the keys stay reserved until it answers."""

    sku: str
    order_id: str
    line: int
    attempt: int


class StockRanLow(EventData, event_type="kameng.inventory.StockRanLow.v1", event_key="sku"):
    """Available stock fell to the threshold or below."""

    sku: str
    available: int
    threshold: int


class StockReleased(EventData, event_type="kameng.inventory.StockReleased.v1", event_key="sku"):
    """A line's reserved keys went back into stock."""

    sku: str
    order_id: str
    line: int
    numbers: tuple[int, ...]
    reason: str


class StockReserved(EventData, event_type="kameng.inventory.StockReserved.v1", event_key="sku"):
    """Keys were set aside for an order line, until `expires_at` unless the order goes on."""

    sku: str
    order_id: str
    line: int
    attempt: int
    keys: tuple[ReservedKey, ...]
    expires_at: datetime
    unpaid: bool = False
    holders: tuple[str, ...] = ()


class StockSettled(EventData, event_type="kameng.inventory.StockSettled.v1", event_key="sku"):
    """A line's keys were delivered: they are sold. `cost` is what they were bought for, where it is known."""

    sku: str
    order_id: str
    line: int
    numbers: tuple[int, ...]
    cost: Money | None = None


class StockShort(EventData, event_type="kameng.inventory.StockShort.v1", event_key="sku"):
    """A line could not be reserved; `available` is what was left. An unpaid order may be short of less than that."""

    sku: str
    order_id: str
    line: int
    attempt: int
    quantity: int
    available: int
    short_for: Literal["stock", "unpaid-share", "buyer-share"] | str = "stock"


class StockKey(Model):
    """A key of our stock: the number that it has among those of its product."""

    sku: str
    number: int


class TextsFound(EventData, event_type="kameng.inventory.TextsFound.v1", event_key="delivery_id"):
    """Texts that a supplier sent for a delivery are keys of our stock, sold or not."""

    delivery_id: str
    supplier: str
    given: bool
    keys: tuple[StockKey, ...]


class PositionLost(EventData, event_type="kameng.inventory.PositionLost.v1", event_key="log"):
    """What stood at this position was lost with a database, and nobody can know it any more. Nothing follows from it.

    It keeps the position from being given to another event: the log of the service `log` was restored up to `kept`,
    whose event is of the time `since`, and others had heard of events up to `upto`."""

    log: str
    kept: int
    upto: int
    since: datetime
