"""The product: its listing and its stock. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from services.inventory.domain import listing, moves, stock
from services.inventory.domain.stock import Stock
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
    """A SKU's state; `listing` is None until it is listed."""

    listing: Listing | None = None
    stock: Stock = field(default_factory=Stock)


def decide(command: ProductCommand, state: Product, given: DecisionContext) -> Sequence[Event] | Decided:
    """`given.facts` is, for LoadKeys, Known; for ReserveStock, Reserving; for FaultKey, the order that the number was
    sold to, or None; for WithdrawKeys, what finds that of any number."""
    match command:
        case ListProduct():
            return listing.list_product(command, state.listing, given.shop)
        case SetSale():
            return listing.set_sale(command, state.listing)
        case LoadKeys():
            return moves.load(command, state.listing, state.stock, given)
        case ExpireKeys():
            threshold = state.listing.low_stock_threshold if state.listing else 0
            return moves.expire_keys(command, state.stock, threshold, given.today)
        case ReserveStock():
            threshold = state.listing.low_stock_threshold if state.listing else 0
            return moves.reserve(command, state.stock, threshold, given.today, given.facts)
        case ReleaseStock():
            return moves.release(command, state.stock)
        case ExpireReservation():
            return moves.expire(command, state.stock)
        case SettleStock():
            return moves.settle(command, state.stock)
        case FaultKey():
            return moves.fault(command, state.stock, given.facts)
        case WithdrawKeys():
            threshold = state.listing.low_stock_threshold if state.listing else 0
            return moves.withdraw(command, state.stock, threshold, given.today, given.facts)


def evolve(state: Product, event: Event) -> Product:
    return Product(listing.evolve(state.listing, event), stock.evolve(state.stock, event))
