"""Fulfillment, declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.fulfillment.adapters import Adapters, build
from services.fulfillment.adapters.effects import EFFECTS
from services.fulfillment.domain.delivery import decide
from services.fulfillment.domain.goods import Resealed, goods_to_open
from services.fulfillment.domain.keys import Opened, keys_to_open
from services.fulfillment.domain.routing import Health
from services.fulfillment.domain.state import Delivery, evolve
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
    """The keys that the command delivers, sealed to the buyer; nothing is opened for any other command."""
    opening = keys_to_open(command, state)
    if opening is None:
        return None
    before, supplied = projection.delivered_before(opening), projection.supplied_too(opening)
    if before or supplied:
        return Opened(delivered_before=before, supplied=supplied)
    return adapters.vault.reseal(opening)


def look_at_line(
    command: DeliverLine, state: Delivery, projection: FulfillmentProjection, adapters: Adapters
) -> Opened | Mapping[str, Health] | None:
    """The opened keys of a line from stock, the records of the suppliers of a line from suppliers."""
    if command.line.source == "supplier":
        return projection.health(command.line.suppliers)
    return open_keys(command, state, projection, adapters)


def open_goods(
    command: RecordPurchase | OpenGoods | OpenReport,
    state: Delivery,
    projection: FulfillmentProjection,
    adapters: Adapters,
) -> Resealed | None:
    """The texts that the command makes somebody read, sealed to them; nothing is opened for any other command."""
    opening = goods_to_open(command, state)
    if opening is None:
        return None
    if isinstance(command, RecordPurchase):
        before, stock = projection.given_before(opening), projection.in_stock(opening)
        if before or stock:
            return Resealed(given_before=before, in_stock=stock)
    return Resealed(adapters.vault.reseal_goods(opening))


def look_at_report(
    command: RecordPurchase, state: Delivery, projection: FulfillmentProjection, adapters: Adapters
) -> Resealed | Mapping[str, Health]:
    """The goods of a purchase that is done, else the records of the line's suppliers, in case another must be asked."""
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
                DeliverLine: look_at_line,
                RecordPurchase: look_at_report,
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
