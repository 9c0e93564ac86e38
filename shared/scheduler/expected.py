"""What the agenda must hold by the log alone: what the events plan, less what has come about since.

An item's token names the event that planned it, so the log tells when it ended: a later event was caused by it. What
ended without an event, or was given up, is noted among the commands. So the two can be compared, and what is missing
planned anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.contracts import Cancel, Event, Metadata, Planner
from shared.eventstore import log, schema
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.unreadable import reading
from shared.projections.projection import Row
from shared.scheduler.scheduler import (
    COMMAND,
    EFFECT,
    FAILED,
    WAITING,
    row_of,
)

FAR = timedelta(hours=2)
"""How much later than planned, or than now when it was tried, an item may be due."""
PAGE = 2_000
_CAUSES = ("agenda", "call")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
Plans = Mapping[type[Event], Planner]


@dataclass(frozen=True, slots=True)
class ExpectedItem:
    """An item that the agenda should hold: `row` as it was planned, `at` the time it was planned for."""

    row: Row
    at: datetime

    @property
    def key(self) -> str:
        return self.row["key"]

    @property
    def token(self) -> str:
        return self.row["token"]


@dataclass(frozen=True, slots=True)
class SchedulerDifference:
    """How an agenda differs: what is missing or spoilt, as it should be, and the keys of what nothing planned."""

    wanted: tuple[ExpectedItem, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (*(one.key for one in self.wanted), *self.strangers)


def token_of(event_id: str, index: int) -> str:
    """The token of one of the plans that an event makes, counted from 0."""
    return f"{event_id}.{index}"


def caused_by(id_: str) -> str:
    """The token of the item that a message comes from, by the message's id; empty for one that comes from none."""
    cause, _, rest = id_.partition("/")
    return rest.partition("/")[0] if cause in _CAUSES else ""


def ended(token: str) -> str:
    """The id under which the commands note that an item ended without an event."""
    return f"ended/{token}"


def begin(connection: sa.Connection) -> None:
    """A writer begins: what it plans from here on can be compared. Nothing is said of what was planned before, by code
    that named no events; such code may have led in between as well."""
    if _since(connection) is None:
        c = schema.head.c
        connection.execute(sa.update(schema.head).values(agenda_epoch=c.epoch, agenda_since=c.position))


def amiss(connection: sa.Connection, service: str, plans: Plans, now: datetime) -> SchedulerDifference:
    """How the agenda differs from what the log says that it must hold at this time. Raises Unreadable.

    The connection must give one picture of the database.
    """
    since = _since(connection)
    if since is None or not plans:
        return SchedulerDifference()
    wanted = _wanted(connection, service, plans, since)
    held: dict[str, Row] = {row["key"]: dict(row) for row in connection.execute(sa.select(schema.agenda)).mappings()}
    over = _over(connection, [one.token for key, one in wanted.items() if not _waits(held.get(key))])
    latest = max(now, log.read_head(connection).at)
    lost = [one for key, one in wanted.items() if not _is_well(held.get(key), one, latest, is_over=one.token in over)]
    beside = [row for key, row in held.items() if key not in wanted]
    origins = _origins(connection, service, beside)
    strangers = [row["key"] for row in beside if not _stays(row, origins, plans, since)]
    return SchedulerDifference(tuple(lost), tuple(strangers))


def plan_anew(connection: sa.Connection, found: SchedulerDifference) -> None:
    """Put what is missing or spoilt on the agenda, and take what is strange off it; the writer must read it anew.

    A call may have been made already, so it counts as tried: it is looked up before it is made.
    """
    for key in found.keys:
        connection.execute(sa.delete(schema.agenda).where(schema.agenda.c.key == key))
    for one in found.wanted:
        tried = int(one.row["kind"] == EFFECT)
        connection.execute(sa.insert(schema.agenda).values({**one.row, "attempts": tried}))


# What the log says


def _since(connection: sa.Connection) -> int | None:
    """The position behind which whatever is planned names its event; None where nobody knows, as in a database that
    only older code has written."""
    c = schema.head.c
    if c.agenda_since.name not in {column["name"] for column in sa.inspect(connection).get_columns(schema.head.name)}:
        return None
    since = sa.select(c.agenda_since).where(c.agenda_epoch == c.epoch)
    return connection.execute(since).scalar_one_or_none()


def _caused() -> sa.ColumnElement[bool]:
    """Whether an agenda's item caused an event."""
    return sa.or_(*(schema.log.c.meta.like(f'%"causation_id":"{cause}/%') for cause in _CAUSES))


def _wanted(connection: sa.Connection, service: str, plans: Plans, since: int) -> dict[str, ExpectedItem]:
    planned = {event.__name__ for event in plans}
    wanted: dict[str, ExpectedItem] = {}
    keys: dict[str, str] = {}
    for recorded in _read(connection, service, schema.log.c.position > since, log.is_named(planned) | _caused()):
        with reading(recorded):
            if key := keys.pop(caused_by(recorded.meta.causation_id), ""):
                del wanted[key]
            for key, one in _planned_by(recorded, plans):
                if before := wanted.pop(key, None):
                    del keys[before.token]
                if one is not None:
                    wanted[key], keys[one.token] = one, key
    return wanted


def _planned_by(recorded: RecordedEvent, plans: Plans) -> Iterator[tuple[str, ExpectedItem | None]]:
    """The keys that an event plans for; None with one that it clears."""
    planner = _planner(plans, recorded.name)
    for index, plan in enumerate(planner(recorded.event, recorded.at) if planner else ()):
        if isinstance(plan, Cancel):
            yield plan.key, None
            continue
        meta = recorded.meta.leading_on(recorded.id, f"system:{recorded.source}")
        row = row_of(plan, token_of(recorded.id, index), meta, recorded.at)
        yield plan.key, ExpectedItem(row, plan.at or recorded.at)


def _planner(plans: Plans, name: str) -> Planner | None:
    return next((planner for event, planner in plans.items() if event.__name__ == name), None)


def _read(connection: sa.Connection, service: str, *conditions: sa.ColumnElement[bool]) -> Iterator[RecordedEvent]:
    statement = sa.select(*log.FIELDS).where(*conditions).order_by(schema.log.c.position)
    for row in connection.execute(statement, execution_options={"yield_per": PAGE}):
        yield log.recorded_of(service, row)


def _over(connection: sa.Connection, tokens: list[str]) -> set[str]:
    """Which of these ended without an event, or wait for a person as a parked message."""
    over = set(filter(None, map(caused_by, connection.execute(sa.select(schema.parked.c.id)).scalars())))
    for start in range(0, len(tokens), PAGE):
        notes = {ended(token): token for token in tokens[start : start + PAGE]}
        found = sa.select(schema.commands.c.id).where(schema.commands.c.id.in_(notes))
        over.update(notes[id_] for id_ in connection.execute(found).scalars())
    return over


# What the agenda says


def _waits(row: Row | None) -> bool:
    return row is not None and row["state"] == WAITING


def _is_well(row: Row | None, one: ExpectedItem, latest: datetime, *, is_over: bool) -> bool:
    """Whether a row is what was planned, still waits, and is not put off for longer than its kind can be. What is over
    is gone, or stays in sight as failed."""
    if row is None:
        return is_over
    if any(row[name] != one.row[name] for name in ("kind", "name", "token")):
        return False
    if row["state"] != WAITING:
        return row["state"] == FAILED and is_over
    if row["kind"] == COMMAND and (row["attempts"] or row["leased_until"]):
        return False
    until = max(one.at, latest) if row["attempts"] else one.at
    return _is_soon(row["due_at"], until) and _without_times(row["payload"]) == _without_times(one.row["payload"])


def _stays(row: Row, origins: Mapping[str, RecordedEvent], plans: Plans, since: int) -> bool:
    """Whether a row that the log does not want may be there: what was given up stays in sight, and of what an older
    version planned no more is known than the event that did."""
    id_ = row["token"].rpartition(".")[0]
    if (origin := origins.get(id_)) is not None and origin.position > since:
        planned = dict(_planned_by(origin, plans))
        one = planned.get(row["key"])
        return row["state"] == FAILED and one is not None and one.token == row["token"]
    origin = origins.get(_cause(row))
    return origin is not None and origin.position <= since


def _origins(connection: sa.Connection, service: str, rows: Iterable[Row]) -> dict[str, RecordedEvent]:
    """The events that rows say they come from, by their ids."""
    ids = sorted({id_ for row in rows for id_ in (row["token"].rpartition(".")[0], _cause(row)) if id_})
    found: dict[str, RecordedEvent] = {}
    for start in range(0, len(ids), PAGE):
        some = schema.log.c.id.in_(ids[start : start + PAGE])
        found |= {recorded.id: recorded for recorded in _read(connection, service, some)}
    return found


def _cause(row: Row) -> str:
    try:
        return Metadata.model_validate_json(row["meta"]).causation_id
    except ValueError:
        return ""


def _is_soon(due_at: str, until: datetime) -> bool:
    try:
        return datetime.fromisoformat(due_at) - until <= FAR  # not `until + FAR`: what has no end is due at the last
    except (ValueError, TypeError):
        return False


def _without_times(payload: str) -> object:
    """A plan is made with the clock's time, which is the event's but for the clock's tolerance."""
    try:
        parts = json.loads(payload)
    except ValueError:
        return payload
    return {name: part for name, part in parts.items() if not (isinstance(part, str) and _TIME.match(part))}
