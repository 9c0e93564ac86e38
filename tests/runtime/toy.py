"""Two toy services: `button` is pressed, `lamp` hears of it, lights up, and calls the outside world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy as sa

from shared.contracts import (
    CallExternal,
    Cancel,
    Command,
    Decided,
    DecisionContext,
    Event,
    Plan,
    Refused,
    ScheduleCommand,
)
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, Projection, RowCache
from shared.runtime.service import Aggregate, Effect, Service

POISON = "poison"
REFUSING = "refusing"
UNCHANGED = "unchanged"


class ToyPress(Command, key="button"):
    incidental: ClassVar[frozenset[str]] = frozenset({"device"})

    button: str
    times: int = 1
    note: str = ""
    device: str = ""


class ToyPressed(Event, key="button"):
    button: str
    note: str = ""


class ToyTint(Command, key="button"):
    button: str
    colour: str


class ToyTinted(Event, key="button"):
    essential: ClassVar[bool] = True

    button: str
    colour: str


class ToyLight(Command, key="lamp"):
    lamp: str
    press: str
    note: str = ""


class ToyDim(Command, key="lamp"):
    lamp: str


class ToyTell(Command, key="lamp"):
    lamp: str
    succeeded: bool


class ToyCount(Command, key="room"):
    room: str
    press: str


class ToyLit(Event, key="lamp"):
    lamp: str
    press: str
    note: str = ""


class ToyDimmed(Event, key="lamp"):
    lamp: str


class ToyCallEnded(Event, key="lamp"):
    lamp: str
    succeeded: bool


class ToyCounted(Event, key="room"):
    room: str
    press: str


for cls, owner in {
    ToyPress: "button", ToyPressed: "button", ToyTint: "button", ToyTinted: "button",
    ToyLight: "lamp", ToyDim: "lamp", ToyTell: "lamp", ToyCount: "lamp",
    ToyLit: "lamp", ToyDimmed: "lamp", ToyCallEnded: "lamp", ToyCounted: "lamp",
}.items():  # fmt: skip
    cls.owner = owner


@dataclass(frozen=True)
class Count:
    number: int = 0
    notes: tuple[str, ...] = ()


def decide_button(command: ToyPress | ToyTint, state: Count, given: DecisionContext) -> Decided:
    if isinstance(command, ToyTint):
        return Decided([ToyTinted(button=command.button, colour=command.colour)])
    if command.note == REFUSING:
        raise Refused("stuck", "the button is stuck", presses=state.number)
    if command.note == POISON:
        raise ZeroDivisionError(command.note)
    pressed = [ToyPressed(button=command.button, note=command.note) for _ in range(command.times)]
    return Decided(pressed, {"presses": state.number + command.times})


def evolve_button(state: Count, event: Event) -> Count:
    match event:
        case ToyPressed(note=note):
            return Count(state.number + 1, (*state.notes, note)[-3:])
    return state


def decide_lamp(command: Command, state: Count, given: DecisionContext) -> list[Event]:
    match command:
        case ToyLight(lamp=lamp, press=press, note=note):
            if note == "lamp-poison":
                raise ZeroDivisionError(note)
            return [ToyLit(lamp=lamp, press=press, note=note)]
        case ToyDim(lamp=lamp):
            return [] if lamp == UNCHANGED else [ToyDimmed(lamp=lamp)]
        case ToyTell(lamp=lamp, succeeded=succeeded):
            return [] if lamp == UNCHANGED else [ToyCallEnded(lamp=lamp, succeeded=succeeded)]
    return []


def evolve_lamp(state: Count, event: Event) -> Count:
    return replace(state, number=state.number + 1) if isinstance(event, ToyLit) else state


def decide_room(command: ToyCount, state: Count, given: DecisionContext) -> list[Event]:
    if command.press.endswith("room-poison"):
        raise ZeroDivisionError(command.press)
    return [ToyCounted(room=command.room, press=command.press)]


def evolve_room(state: Count, event: Event) -> Count:
    return replace(state, number=state.number + 1)


def heard(event: ToyPressed) -> list[Command]:
    if event.note == "reaction-poison":
        raise ZeroDivisionError(event.note)
    return [ToyLight(lamp=event.button, press=event.button, note=event.note)]


def lit(event: ToyLit) -> list[Command]:
    return [ToyCount(room="all", press=event.note)] if event.note.startswith("count") else []


def plan_lit(event: ToyLit, at: datetime) -> Iterable[Plan]:
    match event.note:
        case "call":
            yield CallExternal(f"tell/{event.lamp}", "tell", {"lamp": event.lamp})
        case "later":
            yield ScheduleCommand(f"dim/{event.lamp}", ToyDim(lamp=event.lamp), at + timedelta(seconds=60))
        case "at-once":
            yield ScheduleCommand(f"dim/{event.lamp}", ToyDim(lamp=event.lamp), at)
        case note if note.startswith("dims "):
            target = note.removeprefix("dims ")
            yield ScheduleCommand(f"dim/{target}", ToyDim(lamp=target), at)
        case "cancel":
            yield Cancel(f"dim/{event.lamp}")


metadata = sa.MetaData()
lamps = sa.Table(
    "lamps",
    metadata,
    sa.Column("lamp", sa.Text, primary_key=True),
    sa.Column("presses", sa.Integer, nullable=False),
    sa.Column("lit", sa.Integer, nullable=False),
    sa.Column("dimmed", sa.Integer, sa.CheckConstraint("dimmed < 1000")),
)


class LampProjection(Projection):
    metadata = metadata

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self.lamps = self.rows(lamps)

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        lamp = getattr(event, "lamp", None) or getattr(event, "button", None)
        if lamp is None:
            return
        row = self.lamps.get(lamp) or {"lamp": lamp, "presses": 0, "lit": 0, "dimmed": 0}
        match event:
            case ToyPressed(note=note):
                self.lamps.put({**row, "presses": row["presses"] + 1})
            case ToyLit(note=note):
                self.lamps.put({**row, "lit": None if note == "unwritable" else row["lit"] + 1})
            case ToyDimmed(lamp=lamp):
                self.lamps.put({**row, "dimmed": 1000 if lamp.startswith("undimmable") else row["dimmed"] + 1})


class Foreseeing(LampProjection):
    """Says what it will read, and fails where a note asks for it."""

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[RowCache, Key]]:
        match asked:
            case ToyPressed(note="unreadable event") | ToyLight(note="unreadable command"):
                raise ZeroDivisionError(asked.note)
            case ToyPressed(button=name):
                yield self.lamps, (name,)
            case _:
                pass


class ButtonProjection(Projection):
    metadata = sa.MetaData()


@dataclass
class Adapters:
    """The outside world of the lamp: counts calls, and fails the first `failures` of them."""

    failures: int = 0
    calls: list[int] = field(default_factory=list)
    succeeded: Counter[str] = field(default_factory=Counter)

    def run(self, payload: Mapping[str, Any], attempt: int, adapters: object) -> Command:
        self.calls.append(attempt)
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("nobody there")
        self.succeeded[payload["lamp"]] += 1
        return ToyTell(lamp=payload["lamp"], succeeded=True)


def gave_up(payload: Mapping[str, Any], reason: str) -> Command:
    return ToyTell(lamp=payload["lamp"], succeeded=False)


def button() -> Service:
    return Service(
        name="button",
        aggregates=(Aggregate("button", Count, decide_button, evolve_button, (ToyPress, ToyTint)),),
        projection=ButtonProjection,
    )


def lamp(adapters: Adapters | None = None, *, attempts: int = 3) -> Service:
    world = adapters or Adapters()
    return Service(
        name="lamp",
        aggregates=(
            Aggregate("lamp", Count, decide_lamp, evolve_lamp, (ToyLight, ToyDim, ToyTell)),
            Aggregate("room", Count, decide_room, evolve_room, (ToyCount,)),
        ),
        projection=LampProjection,
        reactions={ToyPressed: heard, ToyLit: lit},
        plans={ToyLit: plan_lit},
        foreign_events=(ToyPressed,),
        effects={"tell": Effect(world.run, gave_up, attempts=attempts, first_delay_seconds=1, longest_delay_seconds=8)},
    )
