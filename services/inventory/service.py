"""Declares the inventory service."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

from services.inventory.adapters import Adapters, build
from services.inventory.domain import (
    Product,
    ProductCommand,
    Supply,
    decide_product,
    decide_supply,
    evolve_product,
    evolve_supply,
)
from services.inventory.domain.stock_commands import Known, ReservationFacts, SoldTo
from services.inventory.metrics import COUNTERS
from services.inventory.projection import InventoryProjection
from services.inventory.reactions import PLANS, REACTIONS, WANTS
from services.inventory.settings import InventorySettings
from shared.contracts.fulfillment import SupplierDelivered, SupplierReportRefused, SupplierStatementRecorded
from shared.contracts.inventory import CompareTexts, FaultKey, LoadKeys, ReserveStock, StockKey, WithdrawKeys
from shared.runtime.service import Aggregate, Service


def find_known_keys(command: LoadKeys, state: Product, projection: InventoryProjection, adapters: Adapters) -> Known:
    known = projection.known((*(key.index for key in command.keys), *filter(None, command.as_written)))
    former = {key.index for key, written in zip(command.keys, command.as_written, strict=False) if written in known}
    return Known(known | former, projection.supplied(key.index for key in command.keys))


def find_boxes_and_limits(
    command: ReserveStock, state: Product, projection: InventoryProjection, adapters: Adapters
) -> ReservationFacts:
    return ReservationFacts(partial(projection.box, command.sku), adapters.unpaid)


def find_sold_to(command: FaultKey, state: Product, projection: InventoryProjection, adapters: Adapters) -> str | None:
    return projection.sold_to(command.sku, command.number)


def find_sold_to_of_any(
    command: WithdrawKeys, state: Product, projection: InventoryProjection, adapters: Adapters
) -> SoldTo:
    return partial(projection.sold_to, command.sku)


def find_stock_keys(
    command: CompareTexts, state: Supply, projection: InventoryProjection, adapters: Adapters
) -> tuple[StockKey, ...]:
    return projection.found(command.indexes)


SERVICE = Service(
    name="inventory",
    aggregates=(
        Aggregate(
            name="product",
            initial=Product,
            decide=decide_product,
            evolve=evolve_product,
            commands=get_args(ProductCommand),
            load_facts={
                LoadKeys: find_known_keys,
                ReserveStock: find_boxes_and_limits,
                FaultKey: find_sold_to,
                WithdrawKeys: find_sold_to_of_any,
            },
        ),
        Aggregate(
            name="supply",
            initial=Supply,
            decide=decide_supply,
            evolve=evolve_supply,
            commands=(CompareTexts,),
            load_facts={CompareTexts: find_stock_keys},
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
