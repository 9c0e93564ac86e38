"""Fulfillment, declared."""

from __future__ import annotations

from collections.abc import Mapping

from services.fulfillment.adapters import Outside, build
from services.fulfillment.adapters.effects import EFFECTS
from services.fulfillment.domain.delivery import decide
from services.fulfillment.domain.keys import Opened, keys_to_open
from services.fulfillment.domain.routing import Health
from services.fulfillment.domain.state import Delivery, evolve
from services.fulfillment.figures import figures
from services.fulfillment.reactions import PLANS, REACTIONS
from services.fulfillment.tables import FulfillmentTables
from shared.contracts.fulfillment import (
    DeliverLine,
    RecordPurchase,
    RecordPurchaseUnknown,
    ResolveDelivery,
    TakeKeys,
)
from shared.hosting.service import Aggregate, Service


def open_keys(
    command: TakeKeys | DeliverLine, state: Delivery, tables: FulfillmentTables, outside: Outside
) -> Opened | None:
    """The keys that the command delivers, sealed to the buyer; nothing is opened for any other command."""
    opening = keys_to_open(command, state)
    if opening is None:
        return None
    delivered_before = tables.delivered_before(opening)
    return Opened(delivered_before=delivered_before) if delivered_before else outside.vault.reseal(opening)


def look_at_line(
    command: DeliverLine, state: Delivery, tables: FulfillmentTables, outside: Outside
) -> Opened | Mapping[str, Health] | None:
    """The opened keys of a line from stock, the records of the suppliers of a line from suppliers."""
    if command.line.source == "supplier":
        return tables.health(command.line.suppliers)
    return open_keys(command, state, tables, outside)


def look_at_suppliers(
    command: RecordPurchase, state: Delivery, tables: FulfillmentTables, outside: Outside
) -> Mapping[str, Health]:
    """The records of the line's suppliers, in case another one must be asked."""
    return tables.health(state.line.suppliers) if state.line else {}


SERVICE = Service(
    name="fulfillment",
    aggregates=(
        Aggregate(
            name="delivery",
            initial=Delivery,
            decide=decide,
            evolve=evolve,
            commands=(TakeKeys, DeliverLine, RecordPurchase, RecordPurchaseUnknown, ResolveDelivery),
            look={TakeKeys: open_keys, DeliverLine: look_at_line, RecordPurchase: look_at_suppliers},
        ),
    ),
    tables=FulfillmentTables,
    reactions=REACTIONS,
    plans=PLANS,
    effects=EFFECTS,
    outside=build,
    figures=figures,
)
