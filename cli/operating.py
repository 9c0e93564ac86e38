"""`kameng status` and `kameng topology`: the state of a running system."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import typer
from rich.table import Table

from cli.common import Json, console, services_of
from cli.hearing import unheard
from cli.places import (
    AnyVar,
    InCluster,
    Place,
    looking,
    place_of,
)
from shared.broker.publisher_marks import NoBroker, read_marks
from shared.eventstore import checkpoints, log, log_reader, schema
from shared.eventstore.checkpoints import PUBLISHED_BEFORE_HEALING, PUBLISHER
from shared.eventstore.divergence import Divergence, disagreements, reached_by
from shared.eventstore.healing import PublishedMark, agrees
from shared.eventstore.leadership import leader_key
from shared.eventstore.unreadable import foreign_events, unknown_events
from shared.messages.topology import (
    Queue,
    inbox,
    log_exchange,
    pulls,
)
from shared.projections import versions
from shared.runtime.embedded import InUse, lock_folder
from shared.runtime.service import Service
from shared.scheduler.scheduler import FAILED, WAITING

OVERDUE = timedelta(seconds=5)
_SEE = "see the lines about {source}"
_UNKNOWN = "unknown 未知"
_OUTDATED = "its tables are of another version: `kameng rebuild {service}`, with --cluster in the cluster"


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a reader is behind a log: in events, and in seconds since the first event that it has not applied. The
    number of events is negative if the log ends before the reader's position."""

    events: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one service. `waits_for` says in words what holds it up; `led` whether a writer is at work.

    Figures that could not be read are None: all of them if the service's database can't be read, a lag if that log
    can't be read. `waits_for` says why."""

    service: str
    head: int | None
    led: bool | None
    lags: dict[str, Lag | None]
    parked: int | None
    agenda_waiting: int | None
    agenda_overdue: int | None
    agenda_failed: int | None
    waits_for: list[str]

    @property
    def is_whole(self) -> bool:
        """Whether everything could be read."""
        return self.head is not None and None not in self.lags.values()


def status(context: typer.Context, var: AnyVar = None, cluster: InCluster = False, as_json: Json = False) -> None:
    """Show each service's head, lag, parked messages and agenda, and what it waits for. 运行状况。

    Ends with 1 if a service can't be read; the others are shown.
    """
    services = services_of(context)
    with place_of(var, services, cluster=cluster, partly=True) as place:
        standings = standings_of(services, place, datetime.now(UTC), _marks(place, services))
    console.print(_status_table(standings))
    for one in standings:
        for reason in one.waits_for:
            console.print(f"{one.service}: {reason}", markup=False)
    if as_json:
        typer.echo(json.dumps({"services": [asdict(one) for one in standings]}, ensure_ascii=False))
    if not all(one.is_whole for one in standings):
        raise typer.Exit(1)


def _marks(place: Place, services: Sequence[Service]) -> Mapping[str, PublishedMark]:
    """The last published position of each log; empty if the broker does not answer."""
    try:
        return read_marks(place.amqp_url, [service.name for service in services]) if place.amqp_url else {}
    except NoBroker:
        return {}


@dataclass(frozen=True, slots=True)
class _Own:
    """What a service's own database says."""

    head: int
    led: bool
    reached: dict[str, int]
    parked: list[tuple[str, int, str]]
    agenda: tuple[int, int, int]
    problems: list[str]


def standings_of(
    services: Sequence[Service], place: Place, now: datetime, marks: Mapping[str, PublishedMark] | None = None
) -> list[Standing]:
    """The state of each service, from its database and the logs that it reads. A database that can't be read hides no
    other service. `marks` are the last published positions of the logs."""
    states: dict[str, _Own | str] = {}
    for service in services:
        with looking(service.name, states):
            states[service.name] = _own(service, place, now, (marks or {}).get(service.name))
    sound = {name: engine for name, engine in place.logs.items() if not isinstance(states.get(name), str)}
    return [_standing(service, states[service.name], replace(place, logs=sound), now) for service in services]


def _own(service: Service, place: Place, now: datetime, mark: PublishedMark | None) -> _Own:
    with place.log(service.name).connect() as connection:
        if foreign := foreign_events(connection, service.name, place.logs):
            raise LookupError(foreign)
        head = int(log.read_head(connection).position)  # a damaged SQLite file may hold texts
        known = reached_by(connection)
        reached = {source: int(known[source].position) for source in known if source in service.sources()}
        parked, agenda = _parked_keys(connection), _agenda(connection, now)
        unknown = unknown_events(connection, service.name)
        outdated = versions.is_outdated(connection, service.projection)
        led = _leads(connection, service.name) if place.is_cluster else _is_in_use(place)
        agree = mark is None or agrees(connection, mark, checkpoints.stored(connection, PUBLISHED_BEFORE_HEALING))
    problems = [_OUTDATED.format(service=service.name)] if outdated else []
    problems += unknown
    problems += [] if mark is None or agree else [str(_published(service.name, mark, head))]
    return _Own(head, led, reached, parked, agenda, problems)


def _standing(service: Service, own: _Own | str, place: Place, now: datetime) -> Standing:
    """One service's standing; `place` has the databases that can be read."""
    if isinstance(own, str):
        return Standing(service.name, None, None, {}, None, None, None, None, [own])
    lags: dict[str, Lag | None] = dict.fromkeys(own.reached)
    unread: dict[str, str] = {}
    for source in lags.keys() & place.logs.keys():
        with looking(source, unread):
            lags[source] = _lag(place, source, own.reached[source], now)
    waiting, overdue, failed = own.agenda
    reasons = [] if own.led else ["no writer is at work"]
    for source in (source for source, lag in lags.items() if lag is None):
        reasons.append(f"how far it is behind {source} is not known: {unread.get(source, _SEE.format(source=source))}")
    reasons += [*own.problems, *disagreements(place.logs, service.name)]
    reasons += [f"{count} parked under {key}: {error}" for key, count, error in own.parked]
    reasons += [f"{overdue} agenda items are overdue"] if overdue else []
    reasons += unheard(place.var, service.name) if place.is_cluster else []
    parked = sum(count for _, count, _ in own.parked)
    return Standing(service.name, own.head, own.led, lags, parked, waiting, overdue, failed, reasons)


def _published(service: str, mark: PublishedMark, head: int) -> Divergence:
    return Divergence(PUBLISHER, service, mark.position, head)


def _parked_keys(connection: sa.Connection) -> list[tuple[str, int, str]]:
    """Each key with parked messages, their number, and the error of the first."""
    found: dict[str, tuple[int, str]] = {}
    parked = schema.parked.c
    for row in connection.execute(sa.select(parked.key, parked.error).order_by(parked.number)):
        count, error = found.get(row.key, (0, row.error))
        found[row.key] = (count + 1, error)
    return [(key, count, error) for key, (count, error) in found.items()]


def _agenda(connection: sa.Connection, now: datetime) -> tuple[int, int, int]:
    agenda = schema.agenda.c
    late = sa.and_(agenda.state == WAITING, agenda.due_at < log.to_text(now - OVERDUE))

    def count(wanted: sa.ColumnElement[bool]) -> int:
        return connection.execute(sa.select(sa.func.count()).select_from(schema.agenda).where(wanted)).scalar_one()

    return count(agenda.state == WAITING), count(late), count(agenda.state == FAILED)


def _lag(place: Place, source: str, reached: int, now: datetime) -> Lag:
    with place.logs[source].connect() as connection:
        events = log.read_head(connection).position - reached
        first = log_reader.read(connection, source, reached, 1)
    return Lag(events, max(0.0, (now - first[0].at).total_seconds()) if first else 0.0)


def lock_holders(service: str) -> sa.Select[int]:
    """Selects the pid of the PostgreSQL backend that holds a service's leadership."""
    locks = sa.table("pg_locks", *map(sa.column, ("pid", "locktype", "granted", "database", "classid", "objid")))
    here = sa.select(sa.column("oid")).select_from(sa.table("pg_database"))
    here = here.where(sa.column("datname") == sa.func.current_database()).scalar_subquery()
    key = leader_key(service) % 2**64
    return sa.select(sa.type_coerce(locks.c.pid, sa.Integer)).where(
        locks.c.locktype == "advisory",
        locks.c.granted,
        locks.c.database == here,
        sa.cast(locks.c.classid, sa.BigInteger) == key >> 32,
        sa.cast(locks.c.objid, sa.BigInteger) == key % 2**32,
    )


def _leads(connection: sa.Connection, service: str) -> bool:
    return connection.execute(lock_holders(service)).first() is not None


def _is_in_use(place: Place) -> bool:
    try:
        with lock_folder(place.var):
            return False
    except InUse:
        return True


def _status_table(standings: Sequence[Standing]) -> Table:
    table = Table("Service 服务", "Writer 写者", "Head 位置", "Lag 滞后", "Parked 搁置", "Agenda 待办")
    for one in standings:
        if one.head is None:
            table.add_row(one.service, *[f"[red]{_UNKNOWN}[/red]"] * 5)
            continue
        behind = "\n".join(
            f"{source}: {lag.events} ({lag.seconds:.1f} s)" if lag else f"{source}: [red]{_UNKNOWN}[/red]"
            for source, lag in one.lags.items()
            if lag is None or lag.events
        )
        agenda = f"{one.agenda_waiting} waiting, {one.agenda_overdue} overdue, {one.agenda_failed} failed"
        writer = "[green]works 运行[/green]" if one.led else "[yellow]none 无[/yellow]"
        table.add_row(one.service, writer, str(one.head), behind or "none 无", str(one.parked), agenda)
    return table


def topology(context: typer.Context, as_json: Json = False) -> None:
    """The cluster's exchanges, queues and bindings. 消息拓扑。"""
    services = services_of(context)
    exchanges = [log_exchange(service.name) for service in services]
    queues = [queue for service in services for queue in _queues(service)]
    table = Table("Queue 队列", "Bound to 绑定")
    for queue in queues:
        table.add_row(queue.name, "\n".join(queue.bound_to) or "default exchange 默认交换机")
    console.print(f"Fanout exchanges 交换机: {', '.join(exchanges)}")
    console.print(table)
    if as_json:
        bindings = {queue.name: list(queue.bound_to) for queue in queues}
        typer.echo(json.dumps({"exchanges": exchanges, "queues": bindings}, ensure_ascii=False))


def _queues(service: Service) -> tuple[Queue, Queue]:
    return inbox(service.name, service.sources()), pulls(service.name)
