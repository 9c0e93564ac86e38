"""The one declaration of inventory."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

from services.inventory.adapters import Outside, build
from services.inventory.domain import Product, ProductCommand, decide, evolve, supply
from services.inventory.domain.moves import Known, Reserving, SoldTo
from services.inventory.metrics import COUNTERS
from services.inventory.reactions import PLANS, REACTIONS, WANTS
from services.inventory.settings import InventorySettings
from services.inventory.tables import InventoryTables
from shared.contracts.fulfillment import SupplierDelivered, SupplierReportRefused, SupplierStatementRecorded
from shared.contracts.inventory import CompareTexts, FaultKey, LoadKeys, ReserveStock, StockKey, WithdrawKeys
from shared.runtime.service import Aggregate, Service


def _known(command: LoadKeys, state: Product, tables: InventoryTables, outside: Outside) -> Known:
    known = tables.known((*(key.index for key in command.keys), *filter(None, command.as_written)))
    former = {key.index for key, written in zip(command.keys, command.as_written, strict=False) if written in known}
    return Known(known | former, tables.supplied(key.index for key in command.keys))


def _reserving(command: ReserveStock, state: Product, tables: InventoryTables, outside: Outside) -> Reserving:
    return Reserving(partial(tables.box, command.sku), outside.unpaid)


def _sold_to(command: FaultKey, state: Product, tables: InventoryTables, outside: Outside) -> str | None:
    return tables.sold_to(command.sku, command.number)


def _any_sold_to(command: WithdrawKeys, state: Product, tables: InventoryTables, outside: Outside) -> SoldTo:
    return partial(tables.sold_to, command.sku)


def _found(
    command: CompareTexts, state: supply.Supply, tables: InventoryTables, outside: Outside
) -> tuple[StockKey, ...]:
    return tables.found(command.indexes)


SERVICE = Service(
    name="inventory",
    aggregates=(
        Aggregate(
            name="product",
            initial=Product,
            decide=decide,
            evolve=evolve,
            commands=get_args(ProductCommand),
            look={LoadKeys: _known, ReserveStock: _reserving, FaultKey: _sold_to, WithdrawKeys: _any_sold_to},
        ),
        Aggregate(
            name="supply",
            initial=supply.Supply,
            decide=supply.decide,
            evolve=supply.evolve,
            commands=(CompareTexts,),
            look={CompareTexts: _found},
        ),
    ),
    tables=InventoryTables,
    reactions=REACTIONS,
    plans=PLANS,
    projects=(SupplierDelivered, SupplierStatementRecorded, SupplierReportRefused),
    wants=WANTS,
    outside=build,
    counters=COUNTERS,
    settings=InventorySettings,
    migrations=Path(__file__).with_name("migrations"),
)
