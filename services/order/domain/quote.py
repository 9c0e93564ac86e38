"""Prices of an order: those of the catalogue, never those that a buyer sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.contracts import Money, Refused
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.inventory import Listing
from shared.contracts.order import OrderLine, Wish


def quote(wishes: Sequence[Wish], listings: Mapping[str, Listing]) -> tuple[OrderLine, ...]:
    """The lines of an order at today's prices: one a wish, priced by its own quantity.

    `listings` are by SKU. Refuses, in this order: `unknown-sku`, `off-sale`, `target-needed`,
    `over-limit` (all wishes for a SKU together), `mixed-currency`, `total-too-large`, `nothing-to-pay`.
    """
    for wish in wishes:
        _refuse_unsellable(wish, listings.get(wish.sku))
    for sku, quantity in _quantities(wishes).items():
        if quantity > (limit := listings[sku].per_order_limit):
            raise Refused("over-limit", f"at most {limit} of {sku} an order", status=422, sku=sku, limit=limit)
    prices = [unit_price(listings[wish.sku], wish.quantity) for wish in wishes]
    if len({price.currency for price in prices}) > 1:
        raise Refused("mixed-currency", "one order is paid in one currency", status=422)
    total = sum(price.amount * wish.quantity for price, wish in zip(prices, wishes, strict=True))
    if total > MAX_MINOR_UNITS:
        raise Refused("total-too-large", f"the total of an order is at most {MAX_MINOR_UNITS} minor units", status=422)
    if total <= 0:
        raise Refused("nothing-to-pay", "the total of an order must be above zero", status=422)
    return tuple(
        _line(number, wish, listings[wish.sku], price)
        for number, (wish, price) in enumerate(zip(wishes, prices, strict=True), start=1)
    )


def unit_price(listing: Listing, quantity: int) -> Money:
    """The price of one piece when this many are bought: the price of the highest tier reached."""
    reached = [tier for tier in listing.tiers if tier.from_quantity <= quantity]
    return max(reached, key=lambda tier: tier.from_quantity).price if reached else listing.price


def _refuse_unsellable(wish: Wish, listing: Listing | None) -> None:
    if listing is None:
        raise Refused("unknown-sku", f"there is no product {wish.sku}", status=422, sku=wish.sku)
    if not listing.on_sale:
        raise Refused("off-sale", f"{wish.sku} is not on sale", status=409, sku=wish.sku)
    if listing.source == "supplier" and not wish.target:
        raise Refused("target-needed", f"{wish.sku} needs the account to top up", status=422, sku=wish.sku)


def _quantities(wishes: Sequence[Wish]) -> Counter[str]:
    quantities: Counter[str] = Counter()
    for wish in wishes:
        quantities[wish.sku] += wish.quantity
    return quantities


def _line(number: int, wish: Wish, listing: Listing, price: Money) -> OrderLine:
    return OrderLine(
        line=number,
        sku=wish.sku,
        name=listing.name,
        kind=listing.kind,
        source=listing.source,
        quantity=wish.quantity,
        unit_price=price,
        amount=price * wish.quantity,
        suppliers=listing.suppliers,
        target=wish.target,
        costs_nothing=listing.source == "supplier" and listing.cost is not None and listing.cost.amount == 0,
    )
