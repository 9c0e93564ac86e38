"""Types of fields that several owners' events share, each with its meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from shared.contracts.base import PUBLIC_KEY, Doc, Id, Money, Text

# The subject
OrderId = Annotated[Id, Doc("The order.", "1042")]
Line = Annotated[int, Doc("The line of the order, from 1.", 1)]
Attempt = Annotated[int, Doc("The order's attempt to reserve stock, from 1; each new attempt adds 1.", 1)]
Sku = Annotated[Id, Doc("The product.", "GAME-100")]
Number = Annotated[int, Doc("The key's number in the stock of its product, from 1.", 17)]
Numbers = Annotated[tuple[int, ...], Doc("The keys' numbers in the stock of their product, from 1.", [17, 18])]
DeliveryId = Annotated[Id, Doc("The delivery: `<order id>/<line>`.", "1042/1")]
Supplier = Annotated[Id, Doc("The supplier, by name.", "north")]
RefundId = Annotated[Id, Doc("The id of the refund; a repeated request has the same id.", "refund-7")]
ReturnId = Annotated[
    Id, Doc("The id of the return, money that a channel pays back; a repeated request has the same id.", "refund-7")
]
Amount = Annotated[Money, Doc("The amount.", 9800)]

NAMED_IN_LOGS = ("order_id",)
"""Fields whose values stand in log lines and spans, so that a flow can be found by them."""
THING_KEYS = frozenset({"order_id", "delivery_id", "payment_id", "sku"})
"""Keys of streams that are about things, not people. Spans may name these streams."""

# The buyer
Customer = Annotated[Id, Doc("The customer, by account; null for a guest.", "ann")]
BuyerKey = Annotated[str, Doc("The public key that deliveries are sealed to.", PUBLIC_KEY)]
Email = Annotated[Text, Doc("The buyer's e-mail address; may be empty.", "ann@example.com")]
Locale = Annotated[Literal["zh", "en"], Doc("The language of messages to the buyer.", "zh")]
Ip = Annotated[Text, Doc("The IP address that the order came from; may be empty.", "203.0.113.7")]
Device = Annotated[Text, Doc("The device that the order came from, as it named itself; may be empty.", "Pixel 7")]

# The cause
Reason = Annotated[Text, Doc("The reason, for people; may be empty.", "asked for by the buyer")]
Reasons = Annotated[tuple[Text, ...], Doc("The rules that matched, for people.", ["list:watch:device:Pixel 7"])]
Note = Annotated[Text, Doc("A note of the person who did it; may be empty.", "seen and done by hand")]
