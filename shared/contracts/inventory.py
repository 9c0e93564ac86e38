"""Products, their sealed keys, stock and reservations."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import BOX, KEYED_HASH, At, Command, Doc, Event, Id, Money, Quantity, Text, Value
from shared.contracts.fields import Attempt, DeliveryId, Line, Number, Numbers, OrderId, Reason, Sku, Supplier

Kind = Annotated[
    Literal["card-key", "top-up", "activation-code", "membership", "course", "bill-payment", "custom"],
    Doc("What sort of product it is.", "card-key"),
]
Source = Annotated[
    Literal["keys", "supplier", "manual"],
    Doc("Where a delivery comes from: own keys, a supplier, a person.", "keys"),
]
ShortFor = Literal["stock", "unpaid-share", "buyer-share"]
Suppliers = Annotated[tuple[Id, ...], Doc("Who is asked to deliver, in this order; empty for own keys.", ["north"])]
UnitPrice = Annotated[Money, Doc("The price of one piece.", 4900)]
Cost = Annotated[Money, Doc("What it costs us; null where it is not known.", 4100)]
Available = Annotated[int, Doc("How many pieces are left.", 3)]
ExpiresOn = Annotated[date, Doc("The last day on which the keys can be used.", "2027-12-31")]
Box = Annotated[str, Doc("The sealed text of a key: ciphertext that only fulfillment can open.", BOX)]
Given = Annotated[bool, Doc("Whether what the supplier sent went to its buyer; else it is kept for a person.", False)]

# What a stream is called by, by the key of its events.
AGGREGATES = {"sku": "product", "delivery_id": "supply"}


class Tier(Value):
    """Wholesale: from `from_quantity` pieces on, each costs `price`."""

    from_quantity: Annotated[Quantity, Doc("The tier begins with so many pieces.", 10)]
    price: Annotated[Money, Doc("The price of one piece in this tier.", 4700)]


class Listing(Value):
    """All that is said of a product. `source` says where a delivery comes from: own keys, a supplier, a person."""

    sku: Sku
    name: Annotated[
        str, Field(min_length=1, max_length=200), Doc("The product's name, for people.", "Game points, 100")
    ]
    kind: Kind = "card-key"
    source: Source = "keys"
    category: Annotated[tuple[Text, ...], Doc("The path of categories, from the widest.", ["Games"])] = ()
    tags: Annotated[tuple[Text, ...], Doc("Words to find it by.", ["popular"])] = ()
    face_value: Annotated[Money | None, Doc("What is printed on it.", 5000)] = None
    price: UnitPrice
    tiers: Annotated[tuple[Tier, ...], Doc("Wholesale prices, by quantity.")] = ()
    cost: Cost | None = None
    suppliers: Suppliers = ()
    per_order_limit: Annotated[Quantity, Doc("How many pieces one order may have.", 100)] = 2_000
    low_stock_threshold: Annotated[
        int, Field(strict=True, ge=0), Doc("With so many pieces or fewer, staff are told.", 20)
    ] = 0
    on_sale: Annotated[bool, Doc("Whether it can be ordered.", True)] = True


class SealedKey(Value):
    """A card key that only fulfillment can open (`box`), and the keyed hash that finds duplicates (`index`)."""

    index: Annotated[
        str, Doc("A keyed hash of the key's text, which finds duplicates and tells nothing of it.", KEYED_HASH)
    ]
    box: Box


class ReservedKey(Value):
    """One key of a SKU: its number in the order of loading, from 1, and its sealed text."""

    number: Number
    box: Box


ReservedKeys = Annotated[tuple[ReservedKey, ...], Doc("The keys, each sealed: only fulfillment can open them.")]


class StockKey(Value):
    """A key of our stock: the number that it has among those of its product."""

    sku: Sku
    number: Number


class SoldKey(Value):
    """A key that was sold, by its number, and to which order."""

    number: Number
    order_id: OrderId


class ListProduct(Command, key="sku"):
    """List a product or change its listing; the same listing again changes nothing. A dry run only tells its fate.

    `named` are the fields of `listing` that the sender names: a product that is listed already keeps the others as they
    are. None names them all. `default_currency` says that the sender names no currency and its amounts are in the
    default one; it is refused for a product that has another.

    Answers {"fate": "listed" | "unchanged"} or {"fate": "changed", "changes": {field: [old, new], ...}}, the values as
    JSON.
    """

    sku: Sku
    listing: Listing
    dry_run: bool = False
    named: tuple[str, ...] | None = None
    default_currency: bool = False


class SetSale(Command, key="sku"):
    """Put a product on sale or take it off."""

    sku: Sku
    on_sale: bool


class LoadKeys(Command, key="sku"):
    """Add sealed keys to a listed product's stock. Duplicates are left out; keys whose last day is over are not loaded.

    `as_written` holds, at the places of `keys`, the hash of the text before it was made canonical, empty where that is
    the same: versions before loaded texts under it. It may be shorter than `keys`.

    Answers {"loaded": count, "duplicates": [index in keys, from 0, ...]}, "supplied": those of the duplicates that a
    supplier sent for an order, where there are any, and "expired": true where that is so.
    """

    sku: Sku
    batch_id: Id
    keys: tuple[SealedKey, ...]
    supplier: Supplier | None = None
    cost: Cost | None = None
    expires_on: ExpiresOn | None = None
    dry_run: bool = False
    as_written: tuple[str, ...] = ()


class ExpireKeys(Command, key="sku"):
    """The last day of these keys is over."""

    sku: Sku
    expires_on: ExpiresOn


class ReserveStock(Command, key="sku"):
    """Set keys aside for an order line, all or none. `attempt` grows when the order asks anew.

    Of an `unpaid` order `holders` are hashes of who asks: the person, the address, the device. Such orders hold a
    bounded share of the stock.
    """

    sku: Sku
    order_id: OrderId
    line: Line
    quantity: Quantity
    attempt: Attempt = 1
    expires_at: At
    unpaid: bool = False
    holders: tuple[Text, ...] = ()


class ReleaseStock(Command, key="sku"):
    """Put a line's reserved keys back into stock; nothing happens when there are none."""

    sku: Sku
    order_id: OrderId
    line: Line
    reason: Reason


class ExpireReservation(Command, key="sku"):
    """The reservation's time is over."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt


class SettleStock(Command, key="sku"):
    """The line's keys were delivered: they are sold."""

    sku: Sku
    order_id: OrderId
    line: Line


class FaultKey(Command, key="sku"):
    """A sold key turned out to be invalid."""

    sku: Sku
    order_id: OrderId
    number: Number
    reason: Reason


class CompareTexts(Command, key="delivery_id"):
    """A supplier sent texts for a delivery, by keyed hash: some may be keys of our stock. `given`: they went to its
    buyer; else they are kept for a person."""

    delivery_id: DeliveryId
    supplier: Supplier
    indexes: tuple[str, ...]
    given: Given


class WithdrawKeys(Command, key="sku"):
    """A supplier sent the texts of these keys: they are not sold any more."""

    sku: Sku
    numbers: Numbers
    delivery_id: DeliveryId
    supplier: Supplier
    given: Given


class ProductListed(Event, key="sku"):
    """A product was listed for the first time."""

    sku: Sku
    listing: Annotated[Listing, Doc("All that is said of the product.")]


class ProductChanged(Event, key="sku"):
    """The listing of a product changed; `listing` is all of it as it is now."""

    sku: Sku
    listing: Annotated[Listing, Doc("All that is said of the product.")]


class ProductPutOnSale(Event, key="sku"):
    """A product can be ordered again."""

    sku: Sku


class ProductTakenOffSale(Event, key="sku"):
    """A product can't be ordered any more; what was ordered before goes on."""

    sku: Sku


class KeysLoaded(Event, key="sku"):
    """Keys got the numbers `first`, `first + 1`, ... in the order of `keys`. They are over from `over_from` on, the end
    of `expires_on` where the shop is."""

    sku: Sku
    batch_id: Annotated[Id, Doc("The batch the keys were loaded with.", "batch-12")]
    first: Annotated[int, Doc("The number of the first of the keys, from 1.", 1)]
    keys: Annotated[tuple[SealedKey, ...], Doc("The keys, each sealed: only fulfillment can open them.")]
    supplier: Annotated[Supplier | None, Doc("Whom the keys were bought from, where it is known.")] = None
    cost: Cost | None = None
    expires_on: ExpiresOn | None = None
    over_from: Annotated[At | None, Doc("When that day ends where the shop is.", "2027-12-31T16:00:00Z")] = None


class KeysExpired(Event, key="sku"):
    """The last day of `count` unsold keys is over: they are not sold any more. `available` is what is left."""

    sku: Sku
    expires_on: ExpiresOn
    count: Annotated[int, Doc("How many pieces.", 12)]
    available: Available


class StockReserved(Event, key="sku"):
    """Keys were set aside for an order line, until `expires_at` unless the order goes on."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt
    keys: ReservedKeys
    expires_at: Annotated[At, Doc("Until when they are set aside.", "2026-01-01T08:25:00Z")]
    unpaid: Annotated[bool, Doc("Whether the order was still to be paid at a channel when it asked.", True)] = False
    holders: Annotated[
        tuple[Text, ...], Doc("Hashes of who asked: the person, the address, the device.", ["0a1b2c3d4e5f6071"])
    ] = ()


class StockShort(Event, key="sku"):
    """A line could not be reserved; `available` is what was left. An unpaid order may be short of less than that."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt
    quantity: Annotated[int, Doc("How many pieces were wanted.", 5)]
    available: Available
    short_for: Annotated[
        ShortFor, Doc("What it was short of: stock, the share of unpaid orders, or that of one buyer.", "stock")
    ] = "stock"


class StockReleased(Event, key="sku"):
    """A line's reserved keys went back into stock."""

    sku: Sku
    order_id: OrderId
    line: Line
    numbers: Numbers
    reason: Reason


class ReservationExpired(Event, key="sku"):
    """A proposal to the order, which alone may give the stock up: the keys stay reserved until it answers."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt


class StockSettled(Event, key="sku"):
    """A line's keys were delivered: they are sold. `cost` is what they were bought for, where it is known."""

    sku: Sku
    order_id: OrderId
    line: Line
    numbers: Numbers
    cost: Cost | None = None


class StockRanLow(Event, key="sku"):
    """Available stock fell to the threshold or below."""

    sku: Sku
    available: Available
    threshold: Annotated[int, Doc("The number from which staff are told.", 20)]


class KeyFaulted(Event, key="sku"):
    """A sold key turned out to be invalid."""

    sku: Sku
    order_id: OrderId
    number: Number
    reason: Reason


class TextsFound(Event, key="delivery_id"):
    """Texts that a supplier sent for a delivery are keys of our stock, sold or not."""

    delivery_id: DeliveryId
    supplier: Supplier
    given: Given
    keys: Annotated[tuple[StockKey, ...], Doc("The keys that have the same texts.")]


class KeysSupplied(Event, key="sku"):
    """A supplier sent, for a delivery, the texts of these keys of ours. Those for sale are withdrawn, those reserved
    once they come back; `sold` were sold already. `given`: what the supplier sent went to the delivery's buyer; else it
    is kept for a person."""

    sku: Sku
    delivery_id: DeliveryId
    supplier: Supplier
    given: Given
    numbers: Numbers
    sold: Annotated[tuple[SoldKey, ...], Doc("Those of them that were sold, with their orders.")] = ()


class KeysWithdrawn(Event, key="sku"):
    """Keys that were for sale are not sold any more, since a supplier sent their texts."""

    sku: Sku
    numbers: Numbers
