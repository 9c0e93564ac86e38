"""What each field of an event means, and a value to show: the same word means the same in every event.

A word is found under `<class>.<field>`, else under `<field>`. A value is JSON; an amount of money is its minor units.
Where none is given, it follows from the field's type.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Word(NamedTuple):
    meaning: str
    value: Any = None


# What looks like a box or a key, and is none: long enough, and opens nothing.
BOX = "k1.EXAMPLE" + "A" * 70
PUBLIC_KEY = "EXAMPLE" + "A" * 36
KEYED_HASH = "EXAMPLE" + "B" * 36

WORDS = {
    # Who and what it is about
    "order_id": Word("The order.", "1042"),
    "sku": Word("The product.", "GAME-100"),
    "customer": Word("The customer, by account; null for a guest.", "ann"),
    "CustomerRegistered.customer": Word("The customer, by account.", "ann"),
    "username": Word("The member of staff, by the name to sign in with.", "li.wei"),
    "role": Word("What they may do: permissions go by role.", "support"),
    "name": Word("The product's name, for people.", "Game points, 100"),
    "CustomerRegistered.name": Word("How to address the customer; may be empty.", "Ann"),
    "OrderLine.name": Word("The product's name at the time of sale.", "Game points, 100"),
    "email": Word("Where to write to the buyer; may be empty.", "ann@example.com"),
    "locale": Word("The language of texts to the buyer.", "zh"),
    "ip": Word("The address the order came from; may be empty.", "203.0.113.7"),
    "device": Word("The device the order came from, as it named itself; may be empty.", "Pixel 7"),
    "reason": Word("Why, for people; may be empty.", "asked for by the buyer"),
    "note": Word("What the person who did it says; may be empty.", "seen and done by hand"),
    # Orders
    "line": Word("The line of the order, from 1.", 1),
    "lines": Word("The lines, as sold."),
    "DeliveryOverdue.lines": Word("The lines that did not end, from 1.", [1]),
    "DeliveryRequested.line": Word("The line to deliver, as sold."),
    "ReplacementRequested.line": Word("The line that was added, free of charge."),
    "ReplacementConfirmed.line": Word("The line to deliver, as sold."),
    "attempt": Word("Counts from 1; grows when a late payment reopens the order.", 1),
    "Wait.attempt": Word("The attempt that the order is in.", 1),
    "quantity": Word("How many pieces.", 2),
    "unit_price": Word("The price of one piece.", 4900),
    "total": Word("What the order costs.", 9800),
    "target": Word("The account or phone to top up; null where the product needs none.", "13800000000"),
    "PurchaseRequested.target": Word("The account or phone to top up; empty where none is needed.", "13800000000"),
    "payment": Word("How it is paid: `wallet`, or a payment channel's name.", "wallet"),
    "sales_channel": Word("Where it was sold.", "web"),
    "channel_order_no": Word("The sales channel's own number for the order, if it has one.", "W-2026-0042"),
    "buyer_key": Word("The public key that deliveries are sealed to.", PUBLIC_KEY),
    "agent": Word("The agent who brought the buyer and earns a commission, if any.", "bo"),
    "fingerprint": Word("SHA-256 of what makes two wishes the same order, in hexadecimal.", "0a1b2c3d" * 8),
    "pay_by": Word("Until when it must be paid.", "2026-01-01T08:15:00Z"),
    "reserved_until": Word("Until when its stock is kept.", "2026-01-01T08:25:00Z"),
    "wait": Word("What the order waits for next; null when for nothing."),
    "step": Word("What it waits for.", "payment"),
    "Wait.until": Word("When waiting is over.", "2026-01-01T08:15:00Z"),
    "paid": Word("Whether its money had come; it is given back.", False),
    "OrderCancelled.reason": Word("Why.", "unpaid"),
    "late": Word("Whether the order had already been cancelled.", False),
    "reserved": Word("Whether stock was set aside.", True),
    "DeliveryRecorded.delivered": Word("Whether the line was delivered.", True),
    "OrderCompleted.delivered": Word("What was delivered is worth: it is earned.", 9800),
    "undelivered": Word("What was not delivered is worth: it is given back.", 0),
    "refund_id": Word("The refund, the same however often it is asked for.", "refund-7"),
    "refunded": Word("What has been given back so far.", 4900),
    "full": Word("Whether nothing is left to give back.", False),
    "replaces": Word("The line whose key is replaced.", 1),
    # Products and stock
    "listing": Word("All that is said of the product."),
    "kind": Word("What sort of product it is.", "card-key"),
    "source": Word("Where a delivery comes from: own keys, a supplier, a person.", "keys"),
    "category": Word("The path of categories, from the widest.", ["Games"]),
    "tags": Word("Words to find it by.", ["popular"]),
    "face_value": Word("What is printed on it.", 5000),
    "price": Word("The price of one piece.", 4900),
    "tiers": Word("Wholesale prices, by quantity."),
    "from_quantity": Word("The tier begins with so many pieces.", 10),
    "Tier.price": Word("The price of one piece in this tier.", 4700),
    "suppliers": Word("Who is asked to deliver, in this order; empty for own keys.", ["north"]),
    "per_order_limit": Word("How many pieces one order may have.", 100),
    "low_stock_threshold": Word("With so many pieces or fewer, staff are told.", 20),
    "on_sale": Word("Whether it can be ordered.", True),
    "batch_id": Word("The batch the keys were loaded with.", "batch-12"),
    "first": Word("The number of the first of the keys, from 1.", 1),
    "keys": Word("The keys, each sealed: only fulfillment can open them."),
    "box": Word("The sealed text of a key: ciphertext that only fulfillment can open.", BOX),
    "index": Word("A keyed hash of the key's text, which finds duplicates and tells nothing of it.", KEYED_HASH),
    "number": Word("The key's number in the stock of its product, from 1.", 17),
    "numbers": Word("The keys' numbers in the stock of their product, from 1.", [17, 18]),
    "DeliveryHandedOver.numbers": Word("The keys in doubt, by number; empty when it is not about keys.", [17]),
    "DeliveryFailed.numbers": Word("The keys that could not be opened, by number; empty when it was not that.", [17]),
    "expires_at": Word("Until when they are set aside.", "2026-01-01T08:25:00Z"),
    "expires_on": Word("The last day on which the keys can be used.", "2027-12-31"),
    "available": Word("How many pieces are left.", 3),
    "HoldRefused.available": Word("What the account has left.", 3000),
    "StockShort.quantity": Word("How many pieces were wanted.", 5),
    "threshold": Word("The number from which staff are told.", 20),
    # Deliveries and suppliers
    "delivery_id": Word("The delivery: `<order id>/<line>`.", "1042/1"),
    "envelope": Word("The line's keys, sealed to the buyer's key: ciphertext that only the buyer can open.", BOX),
    "supplier": Word("The supplier, by name.", "north"),
    "KeysLoaded.supplier": Word("Whom the keys were bought from, where it is known.", "north"),
    "DeliveryHandedOver.supplier": Word("Whose purchase has an unknown outcome, if that is why.", "north"),
    "supplier_ref": Word("The supplier's own number for the purchase; may be empty.", "N-88120"),
    "request_id": Word("The purchase: `<delivery id>#<supplier>`.", "1042/1#north"),
    "cost": Word("What it costs us; null where it is not known.", 4100),
    "SupplierDelivered.cost": Word("What we owe the supplier for it.", 8200),
    "SupplierCostPosted.cost": Word("What we owe the supplier for it.", 8200),
    # Money
    "amount": Word("How much.", 9800),
    "Money.amount": Word("In minor units (fen, cents).", 9800),
    "currency": Word("ISO 4217.", "CNY"),
    "OrderLine.amount": Word("The price of the whole line.", 9800),
    "account": Word("The account, `<type>:<name>`.", "wallet:ann"),
    "postings": Word(
        "The entry: its amounts add up to nothing, a positive one debits its account.",
        [
            {"account": "wallet:ann", "amount": {"amount": 9800, "currency": "CNY"}},
            {"account": "revenue:main", "amount": {"amount": -9800, "currency": "CNY"}},
        ],
    ),
    "Posting.amount": Word("Positive debits the account, negative credits it.", 9800),
    "released": Word("What is free again of the hold.", 0),
    "payment_id": Word("The payment: an order's id, or that of a deposit.", "1042"),
    "channel": Word("The payment channel.", "alpay"),
    "channel_ref": Word("The channel's own number for the payment; may be empty.", "ch-551"),
    "callback_id": Word("The channel's callback, by its own id.", "cb-9001"),
    "pay_url": Word("Where the buyer pays.", "https://pay.example.com/ch-551"),
    "CallbackRefused.reason": Word("Why it was not believed, or not needed.", "bad-signature"),
    "return_id": Word("The paying back, the same however often it is asked for.", "refund-7"),
    "entry_id": Word("The entry that finance made.", "entry-3"),
    # Risk
    "decision": Word("What was decided.", "pass"),
    "OrderScreened.decision": Word("What the rules decided; `review` leaves it to a person.", "review"),
    "reasons": Word("The rules that spoke, for people.", ["list:watch:device:Pixel 7"]),
    "targets": Word("The accounts and phones to top up.", ["13800000000"]),
    "entry": Word("What is listed: `<dimension>:<value>`.", "device:Pixel 7"),
    "list": Word("Which list.", "watch"),
    "dimension": Word("What sort of value it is.", "device"),
    "value": Word("The value.", "Pixel 7"),
    "until": Word("Until when; null for good.", "2026-02-01T00:00:00Z"),
    # Messages to people and machines
    "message_id": Word("The message, the same however often it is asked for.", "order-completed/1042"),
    "template": Word("Which text.", "order-completed"),
    "to": Word("An address, a URL or `staff`.", "ann@example.com"),
    "params": Word("What the text is filled with.", {"delivered": "98.00 CNY"}),
    "round": Word("Counts from 1; grows when the same message is sent anew.", 1),
    "again_from": Word("From when the same message may be asked for again; null for never.", "2026-01-01T09:00:00Z"),
    "attempts": Word("How many tries it took.", 1),
    "MessageQueued.channel": Word("How it is to be sent.", "email"),
    "MessageSent.channel": Word("How it was really sent.", "email"),
    "MessageFailed.channel": Word("How it was to be sent.", "email"),
    "MessageQueued.order_id": Word("The order it is about, if it is about one.", "1042"),
    "PaymentRequested.order_id": Word("The order it pays for; null for a deposit.", "1042"),
    "PaymentReceived.order_id": Word("The order it pays for; null for a deposit.", "1042"),
    # Imports
    # Webhooks
    "endpoint_id": Word("The webhook endpoint.", "0198c0de-0000-7000-8000-000000000001"),
    "url": Word("Where events are posted.", "https://example.com/kameng"),
    "events": Word("Which events: `<service>.<event>`, where `*` stands for any letters.", ["order.*"]),
    "sources": Word("The services whose logs the filter concerns.", ["order"]),
    "generation": Word("Which secret signs, counted from 1.", 2),
    "former_until": Word("Until when the secret before signs as well.", "2026-01-02T08:00:00Z"),
    "WebhookEndpointRegistered.name": Word("What staff call it; may be empty.", "our ERP"),
    "WebhookEndpointChanged.name": Word("What staff call it; may be empty.", "our ERP"),
    "WebhookEndpointDisabled.name": Word("What staff call it; may be empty.", "our ERP"),
    "WebhookEndpointDisabled.reason": Word(
        "`asked` by staff; `failing` for days without any success; `gone`: the receiver answered 410.", "failing"
    ),
    "import_id": Word("The import.", "import-5"),
    "ImportCompleted.kind": Word("What the file held.", "keys"),
    "file_sha256": Word("SHA-256 of the file, in hexadecimal.", "9f86d081" * 8),
    "fates": Word("How many rows ended how.", {"loaded": 500, "duplicate": 3}),
}


def word(cls: str, field: str) -> Word | None:
    """What is said of a field; None when nothing is."""
    return WORDS.get(f"{cls}.{field}") or WORDS.get(field)
