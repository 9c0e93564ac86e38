"""Products, their sealed keys, stock and reservations."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Event, Id, Money, Quantity, Text, Value

Kind = Literal["card-key", "top-up", "activation-code", "membership", "course", "bill-payment", "custom"]
Source = Literal["keys", "supplier", "manual"]


class Tier(Value):
    """Wholesale: from `from_quantity` pieces on, each costs `price`."""

    from_quantity: Quantity
    price: Money


class Listing(Value):
    """All that is said of a product. `source` says where a delivery comes from: own keys, a supplier, a person."""

    sku: Id
    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Kind = "card-key"
    source: Source = "keys"
    category: tuple[Text, ...] = ()
    tags: tuple[Text, ...] = ()
    face_value: Money | None = None
    price: Money
    tiers: tuple[Tier, ...] = ()
    cost: Money | None = None
    suppliers: tuple[Id, ...] = ()
    per_order_limit: Quantity = 2_000
    low_stock_threshold: Annotated[int, Field(strict=True, ge=0)] = 0
    on_sale: bool = True


class SealedKey(Value):
    """A card key that only fulfillment can open (`box`), and the keyed hash that finds duplicates (`index`)."""

    index: str
    box: str


class ReservedKey(Value):
    """One key of a SKU: its number in the order of loading, from 1, and its sealed text."""

    number: int
    box: str


class ListProduct(Command, key="sku"):
    """List a product or change its listing; the same listing again changes nothing. A dry run only tells its fate.

    Answers {"fate": "listed" | "changed" | "unchanged"}.
    """

    sku: Id
    listing: Listing
    dry_run: bool = False


class SetSale(Command, key="sku"):
    """Put a product on sale or take it off."""

    sku: Id
    on_sale: bool


class LoadKeys(Command, key="sku"):
    """Add sealed keys to a listed product's stock. Duplicates are left out.

    Answers {"loaded": count, "duplicates": [index in keys, from 0, ...]}.
    """

    sku: Id
    batch_id: Id
    keys: tuple[SealedKey, ...]
    supplier: Id | None = None
    cost: Money | None = None
    expires_on: date | None = None
    dry_run: bool = False


class ReserveStock(Command, key="sku"):
    """Set keys aside for an order line, all or none. `attempt` grows when a late payment reopens the order."""

    sku: Id
    order_id: Id
    line: int
    quantity: Quantity
    attempt: int = 1
    expires_at: At


class ReleaseStock(Command, key="sku"):
    """Put a line's reserved keys back into stock; nothing happens when there are none."""

    sku: Id
    order_id: Id
    line: int
    reason: Text


class ExpireReservation(Command, key="sku"):
    """The reservation's time is over."""

    sku: Id
    order_id: Id
    line: int
    attempt: int


class SettleStock(Command, key="sku"):
    """The line's keys were delivered: they are sold."""

    sku: Id
    order_id: Id
    line: int


class FaultKey(Command, key="sku"):
    """A sold key turned out to be invalid."""

    sku: Id
    order_id: Id
    number: int
    reason: Text


class ProductListed(Event, key="sku"):
    """A product was listed for the first time."""

    sku: Id
    listing: Listing


class ProductChanged(Event, key="sku"):
    """The listing of a product changed; `listing` is all of it as it is now."""

    sku: Id
    listing: Listing


class ProductPutOnSale(Event, key="sku"):
    """A product can be ordered again."""

    sku: Id


class ProductTakenOffSale(Event, key="sku"):
    """A product can't be ordered any more; what was ordered before goes on."""

    sku: Id


class KeysLoaded(Event, key="sku"):
    """Keys got the numbers `first`, `first + 1`, ... in the order of `keys`."""

    sku: Id
    batch_id: Id
    first: int
    keys: tuple[SealedKey, ...]
    supplier: Id | None = None
    cost: Money | None = None
    expires_on: date | None = None


class StockReserved(Event, key="sku"):
    """Keys were set aside for an order line, until `expires_at` unless the order goes on."""

    sku: Id
    order_id: Id
    line: int
    attempt: int
    keys: tuple[ReservedKey, ...]
    expires_at: At


class StockShort(Event, key="sku"):
    """A line could not be reserved; `available` is what was left."""

    sku: Id
    order_id: Id
    line: int
    attempt: int
    quantity: int
    available: int


class StockReleased(Event, key="sku"):
    """A line's reserved keys went back into stock."""

    sku: Id
    order_id: Id
    line: int
    numbers: tuple[int, ...]
    reason: Text


class ReservationExpired(Event, key="sku"):
    """A proposal to the order, which alone may give the stock up: the keys stay reserved until it answers."""

    sku: Id
    order_id: Id
    line: int
    attempt: int


class StockSettled(Event, key="sku"):
    """A line's keys were delivered: they are sold. `cost` is what they were bought for, where it is known."""

    sku: Id
    order_id: Id
    line: int
    numbers: tuple[int, ...]
    cost: Money | None = None


class StockRanLow(Event, key="sku"):
    """Available stock fell to the threshold or below."""

    sku: Id
    available: int
    threshold: int


class KeyFaulted(Event, key="sku"):
    """A sold key turned out to be invalid."""

    sku: Id
    order_id: Id
    number: int
    reason: Text
