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
    """`count` unsold keys expired, because their last day is over. They are not sold any more. `available` is what is
    left."""

    sku: str
    expires_on: date
    count: int
    available: int


class KeysLoaded(EventData, event_type="kameng.inventory.KeysLoaded.v1", event_key="sku"):
    """Keys were loaded. They have the numbers `first`, `first + 1`, ... in the order of `keys`. They expire at
    `over_from`, the end of the day `expires_on` in the shop's time zone."""

    sku: str
    batch_id: str
    first: int
    keys: tuple[SealedKey, ...]
    supplier: str | None = None
    cost: Money | None = None
    expires_on: date | None = None
    over_from: datetime | None = None


class SoldKey(Model):
    """A sold key: its number, and the order that it was sold to."""

    number: int
    order_id: str


class KeysSupplied(EventData, event_type="kameng.inventory.KeysSupplied.v1", event_key="sku"):
    """A supplier sent, for a delivery, the texts of these keys of the shop's stock. Keys for sale are withdrawn at
    once, reserved keys when they are released; `sold` keys had been sold before. `given` says whether the delivery's
    buyer got what the supplier sent; if not, it is kept for a person."""

    sku: str
    delivery_id: str
    supplier: str
    given: bool
    numbers: tuple[int, ...]
    sold: tuple[SoldKey, ...] = ()


class KeysWithdrawn(EventData, event_type="kameng.inventory.KeysWithdrawn.v1", event_key="sku"):
    """Keys are no longer for sale, because a supplier sent their texts."""

    sku: str
    numbers: tuple[int, ...]


class Tier(Model):
    """A wholesale price: from `from_quantity` pieces on, each piece costs `price`."""

    from_quantity: int
    price: Money


class Listing(Model):
    """The listing of a product. `source` says where a delivery comes from: own keys, a supplier, a person."""

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
    """The listing of a product changed. `listing` is the whole new listing."""

    sku: str
    listing: Listing


class ProductListed(EventData, event_type="kameng.inventory.ProductListed.v1", event_key="sku"):
    """A product was listed for the first time."""

    sku: str
    listing: Listing


class ProductPutOnSale(EventData, event_type="kameng.inventory.ProductPutOnSale.v1", event_key="sku"):
    """A product was put on sale: it can be ordered again."""

    sku: str


class ProductTakenOffSale(EventData, event_type="kameng.inventory.ProductTakenOffSale.v1", event_key="sku"):
    """A product was taken off sale: it can't be ordered any more. Orders placed before continue."""

    sku: str


class ReservationExpired(EventData, event_type="kameng.inventory.ReservationExpired.v1", event_key="sku"):
    """A reservation's time is over. Only the order may give the stock up: the keys stay reserved until it decides."""

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
    """Keys were reserved for an order line, until `expires_at` unless the order goes on."""

    sku: str
    order_id: str
    line: int
    attempt: int
    keys: tuple[ReservedKey, ...]
    expires_at: datetime
    unpaid: bool = False
    holders: tuple[str, ...] = ()


class StockSettled(EventData, event_type="kameng.inventory.StockSettled.v1", event_key="sku"):
    """A line's keys were delivered: they are sold. `cost` is what they were bought for, if known."""

    sku: str
    order_id: str
    line: int
    numbers: tuple[int, ...]
    cost: Money | None = None


class StockShort(EventData, event_type="kameng.inventory.StockShort.v1", event_key="sku"):
    """Keys for a line could not be reserved; `available` were left. For an unpaid order that may have been enough: such
    orders may reserve only a share of the stock."""

    sku: str
    order_id: str
    line: int
    attempt: int
    quantity: int
    available: int
    short_for: Literal["stock", "unpaid-share", "buyer-share"] | str = "stock"


class StockKey(Model):
    """A key of the shop's stock: its product, and its number in the stock of that product."""

    sku: str
    number: int


class TextsFound(EventData, event_type="kameng.inventory.TextsFound.v1", event_key="delivery_id"):
    """Texts that a supplier sent for a delivery are keys of the shop's stock, sold or not."""

    delivery_id: str
    supplier: str
    given: bool
    keys: tuple[StockKey, ...]


class PositionLost(EventData, event_type="kameng.inventory.PositionLost.v1", event_key="log"):
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: str
    kept: int
    upto: int
    since: datetime
