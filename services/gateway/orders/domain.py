"""Who opened what an order delivered: every opening is an event, but for those that follow at once. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.contracts import DecisionContext, Event
from shared.contracts.gateway import DeliveriesOpened, RecordOpening

PAUSE = timedelta(minutes=1)
KEPT = 20


@dataclass(frozen=True)
class OpeningState:
    """When each reader last opened an order's deliveries, of the latest readers; the others are recorded anew."""

    last: dict[str, datetime] = field(default_factory=dict)


def decide_opening(command: RecordOpening, state: OpeningState, given: DecisionContext) -> list[Event]:
    last = state.last.get(_reader(given.meta.actor, command))
    if last is not None and timedelta() <= given.now - last < PAUSE:
        return []
    told = command.model_dump()
    return [DeliveriesOpened(**told, by=given.meta.actor, at=given.now)]


def evolve_opening(state: OpeningState, event: Event) -> OpeningState:
    match event:
        case DeliveriesOpened():
            reader = _reader(event.by, event)
            latest = {**{one: at for one, at in state.last.items() if one != reader}, reader: event.at}
            return OpeningState(dict(list(latest.items())[-KEPT:]))
    return state


def _reader(actor: str, told: RecordOpening | DeliveriesOpened) -> str:
    return "\n".join((actor, told.shown, told.address))
