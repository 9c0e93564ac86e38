"""Declares the fulfillment service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.fulfillment.adapters import Adapters, build
from services.fulfillment.adapters.effects import EFFECTS
from services.fulfillment.domain import Delivery, decide, evolve
from services.fulfillment.domain.goods import Resealed, goods_to_open
from services.fulfillment.domain.keys import Opened, keys_to_open
from services.fulfillment.domain.routing import Health
from services.fulfillment.metrics import COUNTERS, gauges
from services.fulfillment.projection import FulfillmentProjection
from services.fulfillment.reactions import PLANS, REACTIONS
from services.fulfillment.settings import FulfillmentSettings
from shared.contracts.fulfillment import (
    DeliverLine,
    OpenGoods,
    OpenReport,
    RecordPurchase,
    RecordPurchaseUnknown,
    ResolveDelivery,
    SettleStatement,
    TakeKeys,
    WinClaim,
)
from shared.contracts.inventory import KeysLoaded
from shared.runtime.service import Aggregate, Service


def open_keys(
    command: TakeKeys | DeliverLine, state: Delivery, projection: FulfillmentProjection, adapters: Adapters
) -> Opened | None:
    """The keys that the command delivers, sealed to the buyer. For any other command nothing is opened."""
    opening = keys_to_open(command, state)
    if opening is None:
        return None
    before, supplied = projection.delivered_before(opening), projection.supplied_too(opening)
    if before or supplied:
        return Opened(delivered_before=before, supplied=supplied)
    return adapters.vault.reseal(opening)


def open_keys_or_find_health(
    command: DeliverLine, state: Delivery, projection: FulfillmentProjection, adapters: Adapters
) -> Opened | Mapping[str, Health] | None:
    """For a line from stock its keys, sealed to the buyer; for a line from suppliers the health of those suppliers."""
    if command.line.source == "supplier":
        return projection.health(command.line.suppliers)
    return open_keys(command, state, projection, adapters)


def open_goods(
    command: RecordPurchase | OpenGoods | OpenReport,
    state: Delivery,
    projection: FulfillmentProjection,
    adapters: Adapters,
) -> Resealed | None:
    """The texts that the command shows to somebody, sealed to them. For any other command nothing is opened."""
    opening = goods_to_open(command, state)
    if opening is None:
        return None
    if isinstance(command, RecordPurchase):
        before, stock = projection.given_before(opening), projection.in_stock(opening)
        if before or stock:
            return Resealed(given_before=before, in_stock=stock)
    return Resealed(adapters.vault.reseal_goods(opening))


def open_goods_or_find_health(
    command: RecordPurchase, state: Delivery, projection: FulfillmentProjection, adapters: Adapters
) -> Resealed | Mapping[str, Health]:
    """The goods of a purchase that is done; else the health of the line's suppliers, in case another one must be
    asked."""
    if (resealed := open_goods(command, state, projection, adapters)) is not None:
        return resealed
    return projection.health(state.line.suppliers) if state.line else {}


SERVICE = Service(
    name="fulfillment",
    aggregates=(
        Aggregate(
            name="delivery",
            initial=Delivery,
            decide=decide,
            evolve=evolve,
            commands=(
                TakeKeys,
                DeliverLine,
                RecordPurchase,
                RecordPurchaseUnknown,
                ResolveDelivery,
                SettleStatement,
                WinClaim,
                OpenGoods,
                OpenReport,
            ),
            load_facts={
                TakeKeys: open_keys,
                DeliverLine: open_keys_or_find_health,
                RecordPurchase: open_goods_or_find_health,
                OpenGoods: open_goods,
                OpenReport: open_goods,
            },
        ),
    ),
    projection=FulfillmentProjection,
    reactions=REACTIONS,
    plans=PLANS,
    foreign_events=(KeysLoaded,),
    effects=EFFECTS,
    adapters=build,
    counters=COUNTERS,
    gauges=gauges,
    partners=lambda settings: settings.suppliers,
    settings=FulfillmentSettings,
    migrations=Path(__file__).with_name("migrations"),
)
