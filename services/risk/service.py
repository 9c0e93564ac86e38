"""Risk, declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.risk.domain import lists, screening
from services.risk.domain.lists import ListEntry
from services.risk.domain.rules import AmountLimits
from services.risk.domain.screening import Known, Screening
from services.risk.metrics import COUNTERS
from services.risk.projection import RiskProjection
from services.risk.reactions import REACTIONS
from services.risk.settings import RiskSettings
from shared.contracts import replace
from shared.contracts.risk import (
    CloseCase,
    DecideCase,
    RecordPaidTargets,
    RemoveListEntry,
    ReopenCase,
    ScreenOrder,
    SetListEntry,
)
from shared.runtime.service import Aggregate, HostContext, Service
from shared.values import currencies


def build(context: HostContext) -> AmountLimits:
    """How much is too much, as the settings say."""
    settings = context.settings.of(RiskSettings)
    return AmountLimits(
        order=_in_minor_units(settings.review_order_above),
        customer_day=_in_minor_units(settings.review_customer_day_above),
    )


def _in_minor_units(limits: Mapping[str, str]) -> dict[str, int]:
    return {code: currencies.minor(amount, code) for code, amount in limits.items()}


def load_facts(command: ScreenOrder, state: Screening, projection: RiskProjection, limits: AmountLimits) -> Known:
    """What the service knows of the order's values."""
    return replace(projection.known(command), limits=limits)


def entries(
    command: SetListEntry | RemoveListEntry, state: ListEntry, projection: RiskProjection, adapters: None
) -> list[str]:
    """The entries that stand for the same value, however they are spelled."""
    return projection.spellings(command.entry)


SERVICE = Service(
    name="risk",
    aggregates=(
        Aggregate(
            name="screening",
            initial=Screening,
            decide=screening.decide,
            evolve=screening.evolve,
            commands=(ScreenOrder, DecideCase, CloseCase, ReopenCase, RecordPaidTargets),
            load_facts={ScreenOrder: load_facts},
        ),
        Aggregate(
            name="list-entry",
            initial=ListEntry,
            decide=lists.decide,
            evolve=lists.evolve,
            commands=(SetListEntry, RemoveListEntry),
            load_facts={SetListEntry: entries, RemoveListEntry: entries},
        ),
    ),
    projection=RiskProjection,
    reactions=REACTIONS,
    adapters=build,
    counters=COUNTERS,
    settings=RiskSettings,
    migrations=Path(__file__).with_name("migrations"),
)
