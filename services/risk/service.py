"""Risk, declared."""

from __future__ import annotations

from services.risk.domain import lists, screening
from services.risk.domain.screening import Known, Screening
from services.risk.reactions import REACTIONS
from services.risk.tables import RiskTables
from shared.contracts.risk import DecideCase, RemoveListEntry, ScreenOrder, SetListEntry
from shared.hosting.service import Aggregate, Service


def look(command: ScreenOrder, state: Screening, tables: RiskTables, outside: None) -> Known:
    """What the service knows of the order's values."""
    return tables.known(command)


SERVICE = Service(
    name="risk",
    aggregates=(
        Aggregate(
            name="screening",
            initial=Screening,
            decide=screening.decide,
            evolve=screening.evolve,
            commands=(ScreenOrder, DecideCase),
            look={ScreenOrder: look},
        ),
        Aggregate(
            name="list-entry",
            initial=lists.ListEntry,
            decide=lists.decide,
            evolve=lists.evolve,
            commands=(SetListEntry, RemoveListEntry),
        ),
    ),
    tables=RiskTables,
    reactions=REACTIONS,
)
