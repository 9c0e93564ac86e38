"""Products, their sealed keys, stock and reservations."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import BOX, KEYED_HASH, At, Command, Doc, Event, Id, Money, Quantity, Text, Value
from shared.contracts.fields import Attempt, DeliveryId, Line, Number, Numbers, OrderId, Reason, Sku, Supplier

Kind = Annotated[
    Literal["card-key", "top-up", "activation-code", "membership", "course", "bill-payment", "custom"],
    Doc("The kind of product.", "card-key"),
]
Source = Annotated[
    Literal["keys", "supplier", "manual"],
    Doc("Where a delivery comes from: own keys, a supplier, a person.", "keys"),
]
ShortFor = Literal["stock", "unpaid-share", "buyer-share"]
Suppliers = Annotated[
    tuple[Id, ...], Doc("The suppliers that are asked to deliver, in this order; empty for own keys.", ["north"])
]
UnitPrice = Annotated[Money, Doc("The price of one piece.", 4900)]
Cost = Annotated[Money, Doc("The cost for the shop; null when unknown.", 4100)]
Available = Annotated[int, Doc("How many pieces are left.", 3)]
ExpiresOn = Annotated[date, Doc("The last day on which the keys can be used.", "2027-12-31")]
Box = Annotated[str, Doc("The sealed text of a key: ciphertext that only fulfillment can open.", BOX)]
Given = Annotated[
    bool, Doc("Whether the delivery's buyer got what the supplier sent; if not, it is kept for a person.", False)
]

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {"sku": "product", "delivery_id": "supply"}


class Tier(Value):
    """A wholesale price: from `from_quantity` pieces on, each piece costs `price`."""

    from_quantity: Annotated[Quantity, Doc("The number of pieces from which the tier applies.", 10)]
    price: Annotated[Money, Doc("The price of one piece in this tier.", 4700)]


class Listing(Value):
    """The listing of a product. `source` says where a delivery comes from: own keys, a supplier, a person."""

    sku: Sku
    name: Annotated[
        str, Field(min_length=1, max_length=200), Doc("The product's name, for people.", "Game points, 100")
    ]
    kind: Kind = "card-key"
    source: Source = "keys"
    category: Annotated[tuple[Text, ...], Doc("The path of categories, from the widest.", ["Games"])] = ()
    tags: Annotated[tuple[Text, ...], Doc("Words to find the product by.", ["popular"])] = ()
    face_value: Annotated[Money | None, Doc("The value printed on the product.", 5000)] = None
    price: UnitPrice
    tiers: Annotated[tuple[Tier, ...], Doc("Wholesale prices, by quantity.")] = ()
    cost: Cost | None = None
    suppliers: Suppliers = ()
    per_order_limit: Annotated[Quantity, Doc("How many pieces one order may have at most.", 100)] = 2_000
    low_stock_threshold: Annotated[
        int, Field(strict=True, ge=0), Doc("Staff are alerted when this many pieces or fewer are left.", 20)
    ] = 0
    on_sale: Annotated[bool, Doc("Whether the product can be ordered.", True)] = True


class SealedKey(Value):
    """A card key that only fulfillment can open (`box`), and the keyed hash that finds duplicates (`index`)."""

    index: Annotated[
        str, Doc("A keyed hash of the key's text. It finds duplicates and does not reveal the text.", KEYED_HASH)
    ]
    box: Box


class ReservedKey(Value):
    """One key of a SKU: its number in the order of loading, from 1, and its sealed text."""

    number: Number
    box: Box


ReservedKeys = Annotated[tuple[ReservedKey, ...], Doc("The keys, each sealed: only fulfillment can open them.")]


class StockKey(Value):
    """A key of the shop's stock: its product, and its number in the stock of that product."""

    sku: Sku
    number: Number


class SoldKey(Value):
    """A sold key: its number, and the order that it was sold to."""

    number: Number
    order_id: OrderId


class ListProduct(Command, key="sku"):
    """List a product or change its listing; the same listing again changes nothing. A dry run changes nothing and
    answers what would happen.

    `named` are the fields of `listing` that the sender gives; None means all. A product that is already listed keeps
    its other fields. `default_currency` means that the sender gives no currency and its amounts are in the default one.
    That is refused for a product in another currency.

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

    `as_written` holds, for the key at the same place in `keys`, the hash of the text before it was made canonical;
    empty if both are the same. Earlier versions loaded keys under that hash. It may be shorter than `keys`.

    Answers {"loaded": count, "duplicates": [index in keys, from 0, ...]}. If a supplier sent some of the duplicates for
    an order, "supplied" has their indexes. If the keys are expired, "expired" is true.
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
    """Stop selling keys whose last day, `expires_on`, is over."""

    sku: Sku
    expires_on: ExpiresOn


class ReserveStock(Command, key="sku"):
    """Reserve keys for an order line, all or none. `attempt` grows when the order asks again.

    For an `unpaid` order, `holders` are hashes of the buyer's person, address and device. Unpaid orders may reserve
    only a share of the stock.
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
    """Put a line's reserved keys back into stock. Nothing happens when there are none."""

    sku: Sku
    order_id: OrderId
    line: Line
    reason: Reason


class ExpireReservation(Command, key="sku"):
    """Record that a reservation's time is over."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt


class SettleStock(Command, key="sku"):
    """Mark a line's keys as sold, because they were delivered."""

    sku: Sku
    order_id: OrderId
    line: Line


class FaultKey(Command, key="sku"):
    """Record that a sold key turned out to be invalid."""

    sku: Sku
    order_id: OrderId
    number: Number
    reason: Reason


class CompareTexts(Command, key="delivery_id"):
    """Find out whether texts that a supplier sent for a delivery are keys of the shop's stock, by their keyed hashes.
    `given` says whether the delivery's buyer got the texts; if not, they are kept for a person."""

    delivery_id: DeliveryId
    supplier: Supplier
    indexes: tuple[str, ...]
    given: Given


class WithdrawKeys(Command, key="sku"):
    """Withdraw these keys from sale, because a supplier sent their texts."""

    sku: Sku
    numbers: Numbers
    delivery_id: DeliveryId
    supplier: Supplier
    given: Given


class ProductListed(Event, key="sku"):
    """A product was listed for the first time."""

    sku: Sku
    listing: Annotated[Listing, Doc("The whole listing.")]


class ProductChanged(Event, key="sku"):
    """The listing of a product changed. `listing` is the whole new listing."""

    sku: Sku
    listing: Annotated[Listing, Doc("The whole listing.")]


class ProductPutOnSale(Event, key="sku"):
    """A product was put on sale: it can be ordered again."""

    sku: Sku


class ProductTakenOffSale(Event, key="sku"):
    """A product was taken off sale: it can't be ordered any more. Orders placed before continue."""

    sku: Sku


class KeysLoaded(Event, key="sku"):
    """Keys were loaded. They have the numbers `first`, `first + 1`, ... in the order of `keys`. They expire at
    `over_from`, the end of the day `expires_on` in the shop's time zone."""

    sku: Sku
    batch_id: Annotated[Id, Doc("The batch the keys were loaded with.", "batch-12")]
    first: Annotated[int, Doc("The number of the first of the keys, from 1.", 1)]
    keys: Annotated[tuple[SealedKey, ...], Doc("The keys, each sealed: only fulfillment can open them.")]
    supplier: Annotated[Supplier | None, Doc("Whom the keys were bought from, if known.")] = None
    cost: Cost | None = None
    expires_on: ExpiresOn | None = None
    over_from: Annotated[At | None, Doc("When that day ends in the shop's zone.", "2027-12-31T16:00:00Z")] = None


class KeysExpired(Event, key="sku"):
    """`count` unsold keys expired, because their last day is over. They are not sold any more. `available` is what is
    left."""

    sku: Sku
    expires_on: ExpiresOn
    count: Annotated[int, Doc("How many keys expired.", 12)]
    available: Available


class StockReserved(Event, key="sku"):
    """Keys were reserved for an order line, until `expires_at` unless the order goes on."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt
    keys: ReservedKeys
    expires_at: Annotated[At, Doc("Until when they are reserved.", "2026-01-01T08:25:00Z")]
    unpaid: Annotated[bool, Doc("Whether the order still had to be paid at a channel.", True)] = False
    holders: Annotated[
        tuple[Text, ...], Doc("Hashes of the buyer's person, address and device.", ["0a1b2c3d4e5f6071"])
    ] = ()


class StockShort(Event, key="sku"):
    """Keys for a line could not be reserved; `available` were left. For an unpaid order that may have been enough: such
    orders may reserve only a share of the stock."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt
    quantity: Annotated[int, Doc("How many pieces were wanted.", 5)]
    available: Available
    short_for: Annotated[
        ShortFor, Doc("What was too small: the stock, the share of unpaid orders, or that of one buyer.", "stock")
    ] = "stock"


class StockReleased(Event, key="sku"):
    """A line's reserved keys went back into stock."""

    sku: Sku
    order_id: OrderId
    line: Line
    numbers: Numbers
    reason: Reason


class ReservationExpired(Event, key="sku"):
    """A reservation's time is over. Only the order may give the stock up: the keys stay reserved until it decides."""

    sku: Sku
    order_id: OrderId
    line: Line
    attempt: Attempt


class StockSettled(Event, key="sku"):
    """A line's keys were delivered: they are sold. `cost` is what they were bought for, if known."""

    sku: Sku
    order_id: OrderId
    line: Line
    numbers: Numbers
    cost: Cost | None = None


class StockRanLow(Event, key="sku"):
    """Available stock fell to the threshold or below."""

    sku: Sku
    available: Available
    threshold: Annotated[int, Doc("The number of pieces at which staff are alerted.", 20)]


class KeyFaulted(Event, key="sku"):
    """A sold key turned out to be invalid."""

    sku: Sku
    order_id: OrderId
    number: Number
    reason: Reason


class TextsFound(Event, key="delivery_id"):
    """Texts that a supplier sent for a delivery are keys of the shop's stock, sold or not."""

    delivery_id: DeliveryId
    supplier: Supplier
    given: Given
    keys: Annotated[tuple[StockKey, ...], Doc("The keys that have the same texts.")]


class KeysSupplied(Event, key="sku"):
    """A supplier sent, for a delivery, the texts of these keys of the shop's stock. Keys for sale are withdrawn at
    once, reserved keys when they are released; `sold` keys had been sold before. `given` says whether the delivery's
    buyer got what the supplier sent; if not, it is kept for a person."""

    sku: Sku
    delivery_id: DeliveryId
    supplier: Supplier
    given: Given
    numbers: Numbers
    sold: Annotated[tuple[SoldKey, ...], Doc("Those of them that had been sold, with their orders.")] = ()


class KeysWithdrawn(Event, key="sku"):
    """Keys are no longer for sale, because a supplier sent their texts."""

    sku: Sku
    numbers: Numbers
