"""The rules of inventory. The two aggregates are products (listing and stock), and the texts of suppliers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from services.inventory.domain import listing, stock, stock_commands
from services.inventory.domain.stock import Stock
from services.inventory.domain.supply import Supply, decide_supply, evolve_supply
from shared.contracts import Decided, DecisionContext, Event
from shared.contracts.inventory import (
    ExpireKeys,
    ExpireReservation,
    FaultKey,
    Listing,
    ListProduct,
    LoadKeys,
    ReleaseStock,
    ReserveStock,
    SetSale,
    SettleStock,
    WithdrawKeys,
)

__all__ = [
    "Product",
    "ProductCommand",
    "Supply",
    "decide_product",
    "decide_supply",
    "evolve_product",
    "evolve_supply",
]

ProductCommand: TypeAlias = (
    ListProduct
    | SetSale
    | LoadKeys
    | ExpireKeys
    | ReserveStock
    | ReleaseStock
    | ExpireReservation
    | SettleStock
    | FaultKey
    | WithdrawKeys
)


@dataclass(frozen=True, slots=True)
class Product:
    """The state of a SKU. `listing` is None until it is listed."""

    listing: Listing | None = None
    stock: Stock = field(default_factory=Stock)


def decide_product(command: ProductCommand, state: Product, given: DecisionContext) -> Sequence[Event] | Decided:
    """Facts: for LoadKeys Known, for ReserveStock ReservationFacts, for FaultKey the order that the number was sold to
    or None, for WithdrawKeys a function that returns this for any number."""
    match command:
        case ListProduct():
            return listing.list_product(command, state.listing, given.shop)
        case SetSale():
            return listing.set_sale(command, state.listing)
        case LoadKeys():
            return stock_commands.load(command, state.listing, state.stock, given)
        case ExpireKeys():
            threshold = state.listing.low_stock_threshold if state.listing else 0
            return stock_commands.expire_keys(command, state.stock, threshold, given.today)
        case ReserveStock():
            threshold = state.listing.low_stock_threshold if state.listing else 0
            return stock_commands.reserve(command, state.stock, threshold, given.today, given.facts)
        case ReleaseStock():
            return stock_commands.release(command, state.stock)
        case ExpireReservation():
            return stock_commands.expire(command, state.stock)
        case SettleStock():
            return stock_commands.settle(command, state.stock)
        case FaultKey():
            return stock_commands.fault(command, state.stock, given.facts)
        case WithdrawKeys():
            threshold = state.listing.low_stock_threshold if state.listing else 0
            return stock_commands.withdraw(command, state.stock, threshold, given.today, given.facts)


def evolve_product(state: Product, event: Event) -> Product:
    return Product(listing.evolve(state.listing, event), stock.evolve(state.stock, event))
