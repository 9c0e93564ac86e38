"""Compares the scheduled items with those that the log says must exist, and plans missing ones anew.

An item must exist when an event planned it and it has not ended. Its token names that event. It has ended when a later
event was caused by it; an end without an event is stored among the commands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.contracts import Cancel, Event, Metadata, Planner
from shared.eventstore import log, log_reader, schema
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
"""How much later than planned an item may be due; for an item that was tried, how much later than now."""
PAGE = 2_000
_CAUSES = ("agenda", "call")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
Plans = Mapping[type[Event], Planner]


@dataclass(frozen=True, slots=True)
class ExpectedItem:
    """An item that must exist: `row` as it was planned, `at` the time that it was planned for."""

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
    """How the scheduled items differ: missing or damaged ones as they should be, and the keys of ones that no event
    planned."""

    wanted: tuple[ExpectedItem, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (*(one.key for one in self.wanted), *self.strangers)


def token_of(event_id: str, index: int) -> str:
    """The token of the plan with this index (from 0) among those that an event makes."""
    return f"{event_id}.{index}"


def caused_by(id_: str) -> str:
    """The token in the id of a message that comes from a scheduled item; empty for other messages."""
    cause, _, rest = id_.partition("/")
    return rest.partition("/")[0] if cause in _CAUSES else ""


def ended(token: str) -> str:
    """The id under which the table of commands stores that an item ended without an event."""
    return f"ended/{token}"


def begin(connection: sa.Connection) -> None:
    """Call it when a writer begins: items that it plans from here on can be compared. Older code made tokens without
    an event, and may have led in between; its items cannot be compared."""
    if _since(connection) is None:
        c = schema.head.c
        connection.execute(sa.update(schema.head).values(agenda_epoch=c.epoch, agenda_since=c.position))


def amiss(connection: sa.Connection, service: str, plans: Plans, now: datetime) -> SchedulerDifference:
    """How the scheduled items differ from those that the log says must exist at this time. Raises Unreadable.

    The connection must see one snapshot of the database.
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
    """Add missing and damaged items as they should be, and remove those that no event planned. The writer must then
    read the items anew.

    An external call may have been made already, so it counts as tried: its outcome is looked up before it is made.
    """
    for key in found.keys:
        connection.execute(sa.delete(schema.agenda).where(schema.agenda.c.key == key))
    for one in found.wanted:
        tried = int(one.row["kind"] == EFFECT)
        connection.execute(sa.insert(schema.agenda).values({**one.row, "attempts": tried}))


# What the log says


def _since(connection: sa.Connection) -> int | None:
    """The position behind which every planned item names its event; None when unknown, as in a database that only older
    code has written."""
    c = schema.head.c
    if c.agenda_since.name not in {column["name"] for column in sa.inspect(connection).get_columns(schema.head.name)}:
        return None
    since = sa.select(c.agenda_since).where(c.agenda_epoch == c.epoch)
    return connection.execute(since).scalar_one_or_none()


def _caused() -> sa.ColumnElement[bool]:
    """Whether a scheduled item caused the event."""
    return sa.or_(*(schema.log.c.meta.like(f'%"causation_id":"{cause}/%') for cause in _CAUSES))


def _wanted(connection: sa.Connection, service: str, plans: Plans, since: int) -> dict[str, ExpectedItem]:
    planned = {event.__name__ for event in plans}
    wanted: dict[str, ExpectedItem] = {}
    keys: dict[str, str] = {}
    for recorded in _read(connection, service, schema.log.c.position > since, log_reader.is_named(planned) | _caused()):
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
    """The keys that an event plans items for; a key with None is one that it cancels."""
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
    statement = sa.select(*log_reader.FIELDS).where(*conditions).order_by(schema.log.c.position)
    for row in connection.execute(statement, execution_options={"yield_per": PAGE}):
        yield log_reader.recorded_of(service, row)


def _over(connection: sa.Connection, tokens: list[str]) -> set[str]:
    """Which of these items ended without an event, or are parked."""
    over = set(filter(None, map(caused_by, connection.execute(sa.select(schema.parked.c.id)).scalars())))
    for start in range(0, len(tokens), PAGE):
        notes = {ended(token): token for token in tokens[start : start + PAGE]}
        found = sa.select(schema.commands.c.id).where(schema.commands.c.id.in_(notes))
        over.update(notes[id_] for id_ in connection.execute(found).scalars())
    return over


# What the table says


def _waits(row: Row | None) -> bool:
    return row is not None and row["state"] == WAITING


def _is_well(row: Row | None, one: ExpectedItem, latest: datetime, *, is_over: bool) -> bool:
    """Whether a row is as it was planned, waits, and is not postponed longer than its kind can be. The row of an item
    that has ended must be gone, or failed."""
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
    """Whether a row that need not exist may exist: a failed one stays for people to see, and an item that older code
    planned cannot be compared."""
    id_ = row["token"].rpartition(".")[0]
    if (origin := origins.get(id_)) is not None and origin.position > since:
        planned = dict(_planned_by(origin, plans))
        one = planned.get(row["key"])
        return row["state"] == FAILED and one is not None and one.token == row["token"]
    origin = origins.get(_cause(row))
    return origin is not None and origin.position <= since


def _origins(connection: sa.Connection, service: str, rows: Iterable[Row]) -> dict[str, RecordedEvent]:
    """By id, the events that the rows name as their causes."""
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
        # Not `until + FAR`, which overflows for the last date there is.
        return datetime.fromisoformat(due_at) - until <= FAR
    except (ValueError, TypeError):
        return False


def _without_times(payload: str) -> object:
    """The payload without its times: a plan has the clock's time, which may differ from the event's."""
    try:
        parts = json.loads(payload)
    except ValueError:
        return payload
    return {name: part for name, part in parts.items() if not (isinstance(part, str) and _TIME.match(part))}
