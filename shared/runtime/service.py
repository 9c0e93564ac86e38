"""The declaration of a service: aggregates, reactions, projection, effects; every host runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import sqlalchemy as sa

from shared.contracts import Command, Decided, DecisionContext, Event, Planner, Reaction
from shared.projections.projection import Projection
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.settings import OwnSettings, Settings
from shared.security.secrets import Secrets
from shared.telemetry import tracing
from shared.telemetry.event_counters import Counters
from shared.telemetry.metric import Sample

if TYPE_CHECKING:
    import httpx


def http_client(**options: Any) -> httpx.Client:
    """An httpx.Client whose requests carry the current trace context, if there is one."""
    import httpx

    return httpx.Client(event_hooks={"request": [tracing.propagate]}, **options)


@dataclass(frozen=True)
class HostContext:
    """What a host passes to a service's `adapters`. `client` makes HTTP clients; it takes httpx.Client's arguments."""

    settings: Settings
    clock: Clock
    ids: Ids
    secrets: Secrets
    client: Callable[..., httpx.Client] = http_client


@dataclass(frozen=True)
class Aggregate:
    """One kind of stream: `<name>-<key of the command>`.

    `initial` makes the state of an empty stream: a frozen dataclass that pydantic can write as JSON.
    `decide(command, state, context)` returns events or a Decided, or raises Refused; `evolve(state, event)` returns the
    next state. Both are pure. `load_facts`, given per command type, is called as (command, state, projection, adapters)
    and fetches the facts that a decision needs; it changes nothing.
    """

    name: str
    initial: Callable[[], Any]
    decide: Callable[[Any, Any, DecisionContext], Sequence[Event] | Decided]
    evolve: Callable[[Any, Any], Any]
    commands: tuple[type[Command], ...]
    load_facts: Mapping[type[Command], Callable[[Any, Any, Any, Any], Any]] = field(default_factory=dict)


Outcome: TypeAlias = Literal["done", "pending", "failed"]


class EffectFailed(Exception):
    """An external call failed. Its text is stored for people: it must hold no secret and no personal data."""


@dataclass(frozen=True)
class Effect:
    """An external call. The scheduler makes it; a rebuild never does.

    `run(payload, attempt, adapters)` returns the command that carries the result. `attempt` counts from 1. Above 1, an
    earlier attempt may have reached the partner: look up its outcome before repeating it. Any exception means "try
    again", with exponential back-off; after `attempts` attempts, `gave_up(payload, reason)` returns the closing
    command. For metrics, `partner` is the field of the payload that names the partner, and `outcome(result)` says
    whether the partner has done it, works on it, or failed.
    """

    run: Callable[[Mapping[str, Any], int, Any], Command]
    gave_up: Callable[[Mapping[str, Any], str], Command]
    attempts: int = 8
    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 60.0
    partner: str = ""
    outcome: Callable[[Any], Outcome] = lambda result: "done"


@dataclass(frozen=True)
class ReadSide:
    """Declares that other processes query the service's database.

    The writer publishes its positions to them. `kept` are tables of those processes in that database which come from no
    event: they are created with the projection's tables, and never rebuilt or verified.
    """

    kept: sa.MetaData | None = None


@dataclass(frozen=True)
class Service:
    """The declaration of one service.

    `reactions` turn an event, foreign or own, into own commands. `plans` turn an own event into scheduled items. The
    `projection` folds own events and the foreign ones in `foreign_events`. `wants`, by type of foreign event, says
    whether an event concerns the service; the writer ignores the others. `effects` are the external calls by name, and
    `adapters` builds what they and `load_facts` use. `read_side` is set when other processes query the database.
    `commit_interval_seconds` is the shortest time between two commits in the cluster: a service whose replies nobody
    waits for can commit less often, at less cost.
    For Prometheus: `counters` counts own events, `gauges(connection, now, settings)` reads the tables, and `partners`
    names the partners that the effects call.
    `settings` is the class of its own settings. `migrations` is the folder with its PostgreSQL revisions.
    """

    name: str
    aggregates: tuple[Aggregate, ...]
    projection: type[Projection]
    reactions: Mapping[type[Event], Reaction] = field(default_factory=dict)
    plans: Mapping[type[Event], Planner] = field(default_factory=dict)
    foreign_events: tuple[type[Event], ...] = ()
    wants: Mapping[type[Event], Callable[[Any], bool]] = field(default_factory=dict)
    effects: Mapping[str, Effect] = field(default_factory=dict)
    adapters: Callable[[HostContext], Any] = lambda context: None
    read_side: ReadSide | None = None
    counters: Counters = field(default_factory=Counters)
    gauges: Callable[[sa.Connection, datetime, Settings], Iterable[Sample]] = lambda connection, now, settings: ()
    partners: Callable[[Settings], Iterable[str]] = lambda settings: ()
    commit_interval_seconds: float = 0.0
    settings: type[OwnSettings] | None = None
    migrations: Path | None = None

    def kept_tables(self) -> tuple[sa.MetaData, ...]:
        """The tables that the read side's processes keep in the database, if there are any."""
        kept = self.read_side.kept if self.read_side else None
        return () if kept is None else (kept,)

    def sources(self) -> tuple[str, ...]:
        """The other services whose logs this one reads, sorted."""
        heard = {event.owner for event in (*self.reactions, *self.foreign_events)}
        return tuple(sorted(heard - {self.name}))

    def foreign_event_names(self) -> frozenset[str]:
        """The names of the foreign events that its projection folds."""
        return frozenset(event.__name__ for event in self.foreign_events)

    def aggregate_for(self, command: type[Command]) -> Aggregate:
        """The aggregate that decides a command. Raises LookupError when no aggregate of this service does."""
        for aggregate in self.aggregates:
            if command in aggregate.commands:
                return aggregate
        raise LookupError(f"{self.name} does not decide {command.__name__}")
