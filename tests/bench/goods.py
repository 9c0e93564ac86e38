"""What is sold, to whom, and an order, as commands."""

from __future__ import annotations

from collections.abc import Iterator

from services.gateway.orders.buyers import buyer_key
from shared.contracts import Command, Money
from shared.contracts.inventory import Listing, ListProduct, LoadKeys, SealedKey
from shared.contracts.ledger import PostEntry, Posting
from shared.contracts.order import PlaceOrder, Wish
from shared.runtime.ids import Ids
from shared.security.sealing import Sealer, keypair_from_secret
from shared.security.secrets import Secrets

CUSTOMERS, FUNDS, PRICE = 20, 10**12, Money(amount=10)
ORDER, CARD = "bench-order-", "BENCH-CARD-"


def stocking(skus: int, keys_each: int, secrets: Secrets, ids: Ids) -> Iterator[Command]:
    """Products, their keys, and money in the customers' wallets."""
    for sku in map(card, range(skus)):
        yield ListProduct(sku=sku, listing=Listing(sku=sku, name=f"Card {sku}", price=PRICE))
        yield loading(sku, range(keys_each), secrets, ids)
    funds = Money(amount=FUNDS)
    postings = [Posting(account=f"wallet:customer-{number}", amount=-funds) for number in range(CUSTOMERS)]
    postings.append(Posting(account="channel:bench", amount=Money(amount=FUNDS * CUSTOMERS)))
    yield PostEntry(entry_id="opening", postings=tuple(postings), note="opening")


def loading(sku: str, numbers: range, secrets: Secrets, ids: Ids) -> LoadKeys:
    """Keys of these numbers for one product."""
    sealer = Sealer(keypair_from_secret(secrets.get("fulfillment-sealing")).public, ids.random_bytes)
    keys = (SealedKey(index=f"{sku}/{number}", box=sealer.seal(f"{number:016d}", sku)) for number in numbers)
    return LoadKeys(sku=sku, batch_id=f"from-{numbers.start}", keys=tuple(keys))


def card(number: int) -> str:
    """A product's SKU."""
    return f"{CARD}{number:03d}"


def order(number: int, skus: int, secrets: Secrets) -> PlaceOrder:
    """An order of one key, paid from a wallet."""
    order_id = f"{ORDER}{number:07d}"
    return PlaceOrder(
        order_id=order_id,
        wishes=(Wish(sku=card(number % skus), quantity=1),),
        customer=f"customer-{number % CUSTOMERS}",
        buyer_key=buyer_key(secrets, order_id),
        ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
    )
