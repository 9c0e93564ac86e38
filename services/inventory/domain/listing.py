"""Listing a product, changing it, and putting it on sale or off. Pure."""

from __future__ import annotations

from typing import Any

from shared.contracts import Decided, Event, Money, Refused, Shop
from shared.contracts.base import MAX_MINOR_UNITS
from shared.contracts.inventory import (
    Listing,
    ListProduct,
    ProductChanged,
    ProductListed,
    ProductPutOnSale,
    ProductTakenOffSale,
    SetSale,
)

# An order line has at most ten thousand keys, so that their total cost fits into an amount.
MOST_COST = MAX_MINOR_UNITS // 10_000


def unknown_sku() -> Refused:
    """The refusal for an unknown SKU. It does not repeat the SKU, which may be a card key from a sheet with
    interchanged columns."""
    return Refused("unknown-sku", "no product is listed under this SKU", status=404)


def check_cost(cost: Money | None, currency: str) -> None:
    """Raises Refused for a cost below zero, beyond all measure, or in another currency than the price's."""
    if cost is None:
        return
    if cost.currency != currency:
        raise Refused("mixed-currency", f"the cost is in {cost.currency}, the price in {currency}", status=422)
    if cost.amount < 0:
        raise Refused("negative-cost", "a cost can't be below zero", status=422)
    if cost.amount > MOST_COST:
        raise Refused("cost-too-large", f"a key costs {MOST_COST} minor units at most", status=422)


def _check(sku: str, listing: Listing) -> None:
    if listing.sku != sku:
        raise Refused("sku-mismatch", f"the listing of {sku} names {listing.sku}", status=422)
    currency, quantity = listing.price.currency, 0
    for price in (listing.price, *(tier.price for tier in listing.tiers)):
        if price.currency != currency:
            raise Refused("mixed-currency", f"a tier is in {price.currency}, the price in {currency}", status=422)
        if price.amount <= 0:
            raise Refused("price-not-positive", "a price must be above zero", status=422)
    for tier in listing.tiers:
        if tier.from_quantity <= quantity:
            raise Refused("tiers-not-increasing", "each tier must start at a larger quantity", status=422)
        quantity = tier.from_quantity
    check_cost(listing.cost, currency)


def _check_tiers(known: Listing | None, wanted: Listing) -> None:
    """Refuse a tier that costs more apiece than a single piece. An older listing with such a tier stays until its
    prices change."""
    if known is not None and (known.price, known.tiers) == (wanted.price, wanted.tiers):
        return
    for tier in wanted.tiers:
        if tier.price.amount > wanted.price.amount:
            detail = f"a tier, from {tier.from_quantity} pieces, costs more than the price; change the tiers with it"
            raise Refused("tier-above-price", detail, status=422)


def list_product(command: ListProduct, listing: Listing | None, shop: Shop) -> Decided:
    wanted = _wanted(command, listing)
    _check(command.sku, wanted)
    _check_tiers(listing, wanted)
    shop.check(wanted.price.currency)
    if listing is None:
        answer, events = {"fate": "listed"}, [ProductListed(sku=command.sku, listing=wanted)]
    elif listing != wanted:
        answer = {"fate": "changed", "changes": _changes(listing, wanted)}
        events = [ProductChanged(sku=command.sku, listing=wanted)]
    else:
        answer, events = {"fate": "unchanged"}, []
    return Decided(events=() if command.dry_run else events, answer=answer)


def _wanted(command: ListProduct, known: Listing | None) -> Listing:
    """The listing after the command. Fields of a listed product that the command does not name stay as they are."""
    if known is None:
        return command.listing
    if command.default_currency and known.price.currency != command.listing.price.currency:
        detail = f"the product is priced in {known.price.currency}: name the currency of the amounts"
        raise Refused("currency-not-named", detail, status=422)
    if command.named is None:
        return command.listing
    kept = {name: getattr(known, name) for name in Listing.model_fields if name not in command.named}
    return command.listing.model_copy(update={**kept, "sku": command.listing.sku})


def _changes(known: Listing, wanted: Listing) -> dict[str, list[Any]]:
    before, after = known.model_dump(mode="json"), wanted.model_dump(mode="json")
    return {name: [before[name], after[name]] for name in before if before[name] != after[name]}


def set_sale(command: SetSale, listing: Listing | None) -> list[Event]:
    if listing is None:
        raise unknown_sku()
    if listing.on_sale == command.on_sale:
        return []
    return [ProductPutOnSale(sku=command.sku) if command.on_sale else ProductTakenOffSale(sku=command.sku)]


def evolve(listing: Listing | None, event: Event) -> Listing | None:
    match event:
        case ProductListed() | ProductChanged():
            return event.listing
        case ProductPutOnSale() if listing:
            return listing.model_copy(update={"on_sale": True})
        case ProductTakenOffSale() if listing:
            return listing.model_copy(update={"on_sale": False})
        case _:
            return listing
