"""How a service declares itself; a host runs what is declared here."""

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
    """An httpx.Client whose requests name the span they belong to, where there are traces."""
    import httpx

    return httpx.Client(event_hooks={"request": [tracing.tell]}, **options)


@dataclass(frozen=True)
class HostContext:
    """What a host gives a service to build its adapters from. `client` makes HTTP clients, as httpx.Client does."""

    settings: Settings
    clock: Clock
    ids: Ids
    secrets: Secrets
    client: Callable[..., httpx.Client] = http_client


@dataclass(frozen=True)
class Aggregate:
    """One kind of stream: `<name>-<key of the command>`.

    `initial` makes the state of an empty stream: a frozen dataclass that pydantic can write as JSON.
    `decide(command, state, given)` returns events or a Decided, or raises Refused; `evolve(state, event)` returns the
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
    """A call to the outside world failed. The text is kept for people: it holds no secret and nobody's address."""


@dataclass(frozen=True)
class Effect:
    """A call to the outside world. The scheduler makes it; a replay never does.

    `run(payload, attempt, outside)` returns the command that carries the result. `attempt` counts from 1; above 1 an
    earlier try may have reached the other side, so look its outcome up before repeating it. Any exception means "try
    again", with exponential back-off; after `attempts` tries `gave_up(payload, reason)` returns the closing command.
    For its metrics, `partner` is the field of the payload that names who is called, and `outcome` says of a result
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
    """Other processes query the service's database.

    The writer tells them how far its projection has come. `kept` are tables of theirs in that database, which come of
    no event: they are created with the projection's, and never rebuilt or verified.
    """

    kept: sa.MetaData | None = None


@dataclass(frozen=True)
class Service:
    """The one declaration that ties a service's rooms together.

    `reactions` turn an event, another service's or one's own, into own commands. `plans` turn an own event into items
    of the scheduler. The `projection` folds own events and the foreign ones listed in `foreign_events`. `wants`, for
    some types of foreign events, says which events concern the service; the writer ignores the others. `effects` are
    the calls to the outside world by name, and `adapters` builds what they and `load_facts` use.
    `read_side` is given when other processes query the service's database.
    `commit_interval_seconds` is the shortest time between two commits in the cluster: a service whose answers nobody
    waits for commits less often, and costs less.
    For Prometheus: `counters` count what its own events say, `gauges(connection, now, settings)` reads its tables, and
    `partners` are the names that its effects call.
    `settings` are its own, if it has any. `migrations` is the folder with the PostgreSQL revisions of its tables.
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
        """The tables that its readers keep in its database, if there are any."""
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
        """The aggregate that decides a command. Raises LookupError for a command this service does not know."""
        for aggregate in self.aggregates:
            if command in aggregate.commands:
                return aggregate
        raise LookupError(f"{self.name} does not decide {command.__name__}")
