"""Types of fields that several owners' events share, each with its meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from shared.contracts.base import PUBLIC_KEY, Doc, Id, Money, Text

# What it is about
OrderId = Annotated[Id, Doc("The order.", "1042")]
Line = Annotated[int, Doc("The line of the order, from 1.", 1)]
Attempt = Annotated[int, Doc("Counts from 1; grows when its stock is asked for anew.", 1)]
Sku = Annotated[Id, Doc("The product.", "GAME-100")]
Number = Annotated[int, Doc("The key's number in the stock of its product, from 1.", 17)]
Numbers = Annotated[tuple[int, ...], Doc("The keys' numbers in the stock of their product, from 1.", [17, 18])]
DeliveryId = Annotated[Id, Doc("The delivery: `<order id>/<line>`.", "1042/1")]
Supplier = Annotated[Id, Doc("The supplier, by name.", "north")]
RefundId = Annotated[Id, Doc("The refund, the same however often it is asked for.", "refund-7")]
ReturnId = Annotated[Id, Doc("The paying back, the same however often it is asked for.", "refund-7")]
Amount = Annotated[Money, Doc("How much.", 9800)]

NAMED_IN_LOGS = ("order_id",)
"""Fields whose values log lines and spans name, so that a flow can be found by them."""
THING_KEYS = frozenset({"order_id", "delivery_id", "payment_id", "sku"})
"""Keys of streams that are about things and not people: spans may name these streams."""

# The buyer
Customer = Annotated[Id, Doc("The customer, by account; null for a guest.", "ann")]
BuyerKey = Annotated[str, Doc("The public key that deliveries are sealed to.", PUBLIC_KEY)]
Email = Annotated[Text, Doc("Where to write to the buyer; may be empty.", "ann@example.com")]
Locale = Annotated[Literal["zh", "en"], Doc("The language of texts to the buyer.", "zh")]
Ip = Annotated[Text, Doc("The address the order came from; may be empty.", "203.0.113.7")]
Device = Annotated[Text, Doc("The device the order came from, as it named itself; may be empty.", "Pixel 7")]

# Why
Reason = Annotated[Text, Doc("Why, for people; may be empty.", "asked for by the buyer")]
Reasons = Annotated[tuple[Text, ...], Doc("The rules that spoke, for people.", ["list:watch:device:Pixel 7"])]
Note = Annotated[Text, Doc("What the person who did it says; may be empty.", "seen and done by hand")]
