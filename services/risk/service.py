"""Declares the risk service."""

from __future__ import annotations

from pathlib import Path

from services.risk.adapters import build
from services.risk.domain import (
    ListEntry,
    Screening,
    decide_list_entry,
    decide_screening,
    evolve_list_entry,
    evolve_screening,
)
from services.risk.domain.rules import AmountLimits
from services.risk.domain.screening import Known
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
from shared.runtime.service import Aggregate, Service


def find_histories_and_lists(
    command: ScreenOrder, state: Screening, projection: RiskProjection, adapters: AmountLimits
) -> Known:
    """The histories of the order's values, the lists that they are on, and the limits of amounts."""
    return replace(projection.known(command), limits=adapters)


def find_spellings(
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
            decide=decide_screening,
            evolve=evolve_screening,
            commands=(ScreenOrder, DecideCase, CloseCase, ReopenCase, RecordPaidTargets),
            load_facts={ScreenOrder: find_histories_and_lists},
        ),
        Aggregate(
            name="list-entry",
            initial=ListEntry,
            decide=decide_list_entry,
            evolve=evolve_list_entry,
            commands=(SetListEntry, RemoveListEntry),
            load_facts={SetListEntry: find_spellings, RemoveListEntry: find_spellings},
        ),
    ),
    projection=RiskProjection,
    reactions=REACTIONS,
    adapters=build,
    counters=COUNTERS,
    settings=RiskSettings,
    migrations=Path(__file__).with_name("migrations"),
)
