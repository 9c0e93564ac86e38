"""Products, their sealed keys, stock and reservations."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Event, Id, Money, Quantity, Text, Value

Kind = Literal["card-key", "top-up", "activation-code", "membership", "course", "bill-payment", "custom"]
Source = Literal["keys", "supplier", "manual"]
ShortFor = Literal["stock", "unpaid-share", "buyer-share"]


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


class StockKey(Value):
    """A key of our stock: the number that it has among those of its product."""

    sku: Id
    number: int


class SoldKey(Value):
    """A key that was sold, by its number, and to which order."""

    number: int
    order_id: Id


class ListProduct(Command, key="sku"):
    """List a product or change its listing; the same listing again changes nothing. A dry run only tells its fate.

    `named` are the fields of `listing` that the sender names: a product that is listed already keeps the others as they
    are. None names them all. `default_currency` says that the sender names no currency and its amounts are in the
    default one; it is refused for a product that has another.

    Answers {"fate": "listed" | "unchanged"} or {"fate": "changed", "changes": {field: [old, new], ...}}, the values as
    JSON.
    """

    sku: Id
    listing: Listing
    dry_run: bool = False
    named: tuple[str, ...] | None = None
    default_currency: bool = False


class SetSale(Command, key="sku"):
    """Put a product on sale or take it off."""

    sku: Id
    on_sale: bool


class LoadKeys(Command, key="sku"):
    """Add sealed keys to a listed product's stock. Duplicates are left out; keys whose last day is over are not loaded.

    `as_written` holds, at the places of `keys`, the hash of the text before it was made canonical, empty where that is
    the same: versions before loaded texts under it. It may be shorter than `keys`.

    Answers {"loaded": count, "duplicates": [index in keys, from 0, ...]}, "supplied": those of the duplicates that a
    supplier sent for an order, where there are any, and "expired": true where that is so.
    """

    sku: Id
    batch_id: Id
    keys: tuple[SealedKey, ...]
    supplier: Id | None = None
    cost: Money | None = None
    expires_on: date | None = None
    dry_run: bool = False
    as_written: tuple[str, ...] = ()


class ExpireKeys(Command, key="sku"):
    """The last day of these keys is over."""

    sku: Id
    expires_on: date


class ReserveStock(Command, key="sku"):
    """Set keys aside for an order line, all or none. `attempt` grows when the order asks anew.

    Of an `unpaid` order `holders` are hashes of who asks: the person, the address, the device. Such orders hold a
    bounded share of the stock.
    """

    sku: Id
    order_id: Id
    line: int
    quantity: Quantity
    attempt: int = 1
    expires_at: At
    unpaid: bool = False
    holders: tuple[Text, ...] = ()


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


class CompareTexts(Command, key="delivery_id"):
    """A supplier sent texts for a delivery, by keyed hash: some may be keys of our stock. `given`: they went to its
    buyer; else they are kept for a person."""

    delivery_id: Id
    supplier: Id
    indexes: tuple[str, ...]
    given: bool


class WithdrawKeys(Command, key="sku"):
    """A supplier sent the texts of these keys: they are not sold any more."""

    sku: Id
    numbers: tuple[int, ...]
    delivery_id: Id
    supplier: Id
    given: bool


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
    """Keys got the numbers `first`, `first + 1`, ... in the order of `keys`. They are over from `over_from` on, the end
    of `expires_on` where the shop is."""

    sku: Id
    batch_id: Id
    first: int
    keys: tuple[SealedKey, ...]
    supplier: Id | None = None
    cost: Money | None = None
    expires_on: date | None = None
    over_from: At | None = None


class KeysExpired(Event, key="sku"):
    """The last day of `count` unsold keys is over: they are not sold any more. `available` is what is left."""

    sku: Id
    expires_on: date
    count: int
    available: int


class StockReserved(Event, key="sku"):
    """Keys were set aside for an order line, until `expires_at` unless the order goes on."""

    sku: Id
    order_id: Id
    line: int
    attempt: int
    keys: tuple[ReservedKey, ...]
    expires_at: At
    unpaid: bool = False
    holders: tuple[Text, ...] = ()


class StockShort(Event, key="sku"):
    """A line could not be reserved; `available` is what was left. An unpaid order may be short of less than that."""

    sku: Id
    order_id: Id
    line: int
    attempt: int
    quantity: int
    available: int
    short_for: ShortFor = "stock"


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


class TextsFound(Event, key="delivery_id"):
    """Texts that a supplier sent for a delivery are keys of our stock, sold or not."""

    delivery_id: Id
    supplier: Id
    given: bool
    keys: tuple[StockKey, ...]


class KeysSupplied(Event, key="sku"):
    """A supplier sent, for a delivery, the texts of these keys of ours. Those for sale are withdrawn, those reserved
    once they come back; `sold` were sold already. `given`: what the supplier sent went to the delivery's buyer; else it
    is kept for a person."""

    sku: Id
    delivery_id: Id
    supplier: Id
    given: bool
    numbers: tuple[int, ...]
    sold: tuple[SoldKey, ...] = ()


class KeysWithdrawn(Event, key="sku"):
    """Keys that were for sale are not sold any more, since a supplier sent their texts."""

    sku: Id
    numbers: tuple[int, ...]
