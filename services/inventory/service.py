"""The one declaration of inventory."""

from __future__ import annotations

from functools import partial
from typing import get_args

from services.inventory.domain import Product, ProductCommand, decide, evolve
from services.inventory.domain.moves import BoxOf
from services.inventory.reactions import PLANS, REACTIONS
from services.inventory.tables import InventoryTables
from shared.contracts.inventory import FaultKey, LoadKeys, ReserveStock
from shared.hosting.service import Aggregate, Service


def _known(command: LoadKeys, state: Product, tables: InventoryTables, outside: None) -> frozenset[str]:
    return tables.known(command.keys)


def _box_of(command: ReserveStock, state: Product, tables: InventoryTables, outside: None) -> BoxOf:
    return partial(tables.box, command.sku)


def _sold_to(command: FaultKey, state: Product, tables: InventoryTables, outside: None) -> str | None:
    return tables.sold_to(command.sku, command.number)


SERVICE = Service(
    name="inventory",
    aggregates=(
        Aggregate(
            name="product",
            initial=Product,
            decide=decide,
            evolve=evolve,
            commands=get_args(ProductCommand),
            look={LoadKeys: _known, ReserveStock: _box_of, FaultKey: _sold_to},
        ),
    ),
    tables=InventoryTables,
    reactions=REACTIONS,
    plans=PLANS,
)
