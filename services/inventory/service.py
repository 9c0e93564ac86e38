"""The one declaration of inventory."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

from services.inventory.adapters import Adapters, build
from services.inventory.domain import Product, ProductCommand, decide, evolve, supply
from services.inventory.domain.moves import Known, Reserving, SoldTo
from services.inventory.metrics import COUNTERS
from services.inventory.projection import InventoryProjection
from services.inventory.reactions import PLANS, REACTIONS, WANTS
from services.inventory.settings import InventorySettings
from shared.contracts.fulfillment import SupplierDelivered, SupplierReportRefused, SupplierStatementRecorded
from shared.contracts.inventory import CompareTexts, FaultKey, LoadKeys, ReserveStock, StockKey, WithdrawKeys
from shared.runtime.service import Aggregate, Service


def _known(command: LoadKeys, state: Product, projection: InventoryProjection, adapters: Adapters) -> Known:
    known = projection.known((*(key.index for key in command.keys), *filter(None, command.as_written)))
    former = {key.index for key, written in zip(command.keys, command.as_written, strict=False) if written in known}
    return Known(known | former, projection.supplied(key.index for key in command.keys))


def _reserving(command: ReserveStock, state: Product, projection: InventoryProjection, adapters: Adapters) -> Reserving:
    return Reserving(partial(projection.box, command.sku), adapters.unpaid)


def _sold_to(command: FaultKey, state: Product, projection: InventoryProjection, adapters: Adapters) -> str | None:
    return projection.sold_to(command.sku, command.number)


def _any_sold_to(command: WithdrawKeys, state: Product, projection: InventoryProjection, adapters: Adapters) -> SoldTo:
    return partial(projection.sold_to, command.sku)


def _found(
    command: CompareTexts, state: supply.Supply, projection: InventoryProjection, adapters: Adapters
) -> tuple[StockKey, ...]:
    return projection.found(command.indexes)


SERVICE = Service(
    name="inventory",
    aggregates=(
        Aggregate(
            name="product",
            initial=Product,
            decide=decide,
            evolve=evolve,
            commands=get_args(ProductCommand),
            load_facts={LoadKeys: _known, ReserveStock: _reserving, FaultKey: _sold_to, WithdrawKeys: _any_sold_to},
        ),
        Aggregate(
            name="supply",
            initial=supply.Supply,
            decide=supply.decide,
            evolve=supply.evolve,
            commands=(CompareTexts,),
            load_facts={CompareTexts: _found},
        ),
    ),
    projection=InventoryProjection,
    reactions=REACTIONS,
    plans=PLANS,
    foreign_events=(SupplierDelivered, SupplierStatementRecorded, SupplierReportRefused),
    wants=WANTS,
    adapters=build,
    counters=COUNTERS,
    settings=InventorySettings,
    migrations=Path(__file__).with_name("migrations"),
)
