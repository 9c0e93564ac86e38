"""What is said of a product: listing it, changing it, putting it on sale and off."""

from __future__ import annotations

from shared.contracts import Decided, Event, Money, Refused
from shared.contracts.inventory import (
    Listing,
    ListProduct,
    ProductChanged,
    ProductListed,
    ProductPutOnSale,
    ProductTakenOffSale,
    SetSale,
)


def unknown_sku() -> Refused:
    """It does not repeat the SKU: where two columns of a sheet have changed places, that is a card key."""
    return Refused("unknown-sku", "no product is listed under this SKU", status=404)


def check_cost(cost: Money | None, currency: str) -> None:
    """Raises Refused for a cost below zero or in another currency than the price's."""
    if cost is None:
        return
    if cost.currency != currency:
        raise Refused("mixed-currency", f"the cost is in {cost.currency}, the price in {currency}", status=422)
    if cost.amount < 0:
        raise Refused("negative-cost", "a cost can't be below zero", status=422)


def _check(command: ListProduct) -> None:
    listing = command.listing
    if listing.sku != command.sku:
        raise Refused("sku-mismatch", f"the listing of {command.sku} names {listing.sku}", status=422)
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


def list_product(command: ListProduct, listing: Listing | None) -> Decided:
    _check(command)
    if listing is None:
        fate, events = "listed", [ProductListed(sku=command.sku, listing=command.listing)]
    elif listing != command.listing:
        fate, events = "changed", [ProductChanged(sku=command.sku, listing=command.listing)]
    else:
        fate, events = "unchanged", []
    return Decided(events=() if command.dry_run else events, answer={"fate": fate})


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
