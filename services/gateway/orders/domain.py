"""Records who opened an order's deliveries. A reader who opens them again within a minute is not recorded again.
Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.contracts import DecisionContext, Event
from shared.contracts.gateway import DeliveriesOpened, RecordOpening

PAUSE = timedelta(minutes=1)
KEPT = 20


@dataclass(frozen=True)
class OpeningState:
    """When each of the latest readers last opened the order's deliveries. Other readers are recorded anew."""

    last: dict[str, datetime] = field(default_factory=dict)


def decide_opening(command: RecordOpening, state: OpeningState, given: DecisionContext) -> list[Event]:
    last = state.last.get(_reader(given.meta.actor, command))
    if last is not None and timedelta() <= given.now - last < PAUSE:
        return []
    fields = command.model_dump()
    return [DeliveriesOpened(**fields, by=given.meta.actor, at=given.now)]


def evolve_opening(state: OpeningState, event: Event) -> OpeningState:
    match event:
        case DeliveriesOpened():
            reader = _reader(event.by, event)
            latest = {**{other: at for other, at in state.last.items() if other != reader}, reader: event.at}
            return OpeningState(dict(list(latest.items())[-KEPT:]))
    return state


def _reader(actor: str, opening: RecordOpening | DeliveriesOpened) -> str:
    return "\n".join((actor, opening.shown, opening.address))
