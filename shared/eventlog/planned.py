"""What the agenda must hold by the log alone: what the events plan, less what has come about since.

An item's token names the event that planned it, so the log tells when it ended: a later event was caused by it. What
ended without an event is noted among the commands. So the two can be compared, and what is missing planned anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.contracts import Cancel, Event, Planner
from shared.eventlog import checkpoints, log, schema
from shared.eventlog.agenda import EFFECT, WAITING, row_of
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Row
from shared.eventlog.unreadable import reading

SINCE = "agenda"
"""The checkpoint behind which the tokens name events; without it nothing can be said of the agenda."""
FAR = timedelta(days=1)
"""How much later than planned, or than the last event, an item that was never tried may be due."""
PAGE = 2_000
_CAUSES = ("agenda", "call")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_MATTERS = ("kind", "name", "token")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item that the agenda should hold: `row` as it was planned, `at` the time it was planned for."""

    row: Row
    at: datetime

    @property
    def key(self) -> str:
        return self.row["key"]

    @property
    def token(self) -> str:
        return self.row["token"]


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
    """A writer begins: what it plans from here on can be compared. Of what an older version planned nothing is said."""
    known = sa.select(schema.checkpoints.c.name).where(schema.checkpoints.c.name == SINCE)
    if connection.execute(known).first() is None:
        checkpoints.raise_to(connection, SINCE, log.read_head(connection).position)


def amiss(connection: sa.Connection, service: str, plans: Mapping[type[Event], Planner]) -> list[Wanted]:
    """What the agenda should hold by the log and does not, or holds otherwise. Raises Unreadable.

    The connection must give one picture of the database.
    """
    since = sa.select(schema.checkpoints.c.position).where(schema.checkpoints.c.name == SINCE)
    position = connection.execute(since).scalar_one_or_none()
    if position is None or not plans:
        return []
    wanted = _wanted(connection, service, plans, position)
    held = {row["key"]: dict(row) for row in connection.execute(sa.select(schema.agenda)).mappings()}
    missing = [one for key, one in wanted.items() if key not in held]
    over = _over(connection, [one.token for one in missing])
    head_at = log.read_head(connection).at
    spoilt = [one for key, one in wanted.items() if key in held and not _fits(held[key], one, head_at)]
    return [one for one in missing if one.token not in over] + spoilt


def plan_anew(connection: sa.Connection, wanted: Iterable[Wanted]) -> None:
    """Put these on the agenda, in the place of what stands under their keys; the writer must read it anew.

    A call may have been made already, so it counts as tried: it is looked up before it is made.
    """
    for one in wanted:
        connection.execute(sa.delete(schema.agenda).where(schema.agenda.c.key == one.key))
        tried = int(one.row["kind"] == EFFECT)
        connection.execute(sa.insert(schema.agenda).values({**one.row, "attempts": tried}))


def _wanted(
    connection: sa.Connection, service: str, plans: Mapping[type[Event], Planner], since: int
) -> dict[str, Wanted]:
    planners = {event.__name__: planner for event, planner in plans.items()}
    wanted: dict[str, Wanted] = {}
    keys: dict[str, str] = {}
    for recorded in _telling(connection, service, planners, since):
        with reading(recorded):
            if key := keys.pop(caused_by(recorded.meta.causation_id), ""):
                del wanted[key]
            planner = planners.get(recorded.name)
            for index, plan in enumerate(planner(recorded.event, recorded.at) if planner else ()):
                if before := wanted.pop(plan.key, None):
                    del keys[before.token]
                if not isinstance(plan, Cancel):
                    meta = recorded.meta.leading_on(recorded.id, f"system:{service}")
                    row = row_of(plan, token_of(recorded.id, index), meta, recorded.at)
                    wanted[plan.key] = Wanted(row, plan.at or recorded.at)
                    keys[row["token"]] = plan.key
    return wanted


def _telling(connection: sa.Connection, service: str, names: Iterable[str], since: int) -> Iterator[Recorded]:
    """The events that plan, or were caused by what was planned."""
    c = schema.log.c
    telling = [log.is_named(names), *(c.meta.like(f'%"causation_id":"{cause}/%') for cause in _CAUSES)]
    statement = sa.select(*log.FIELDS).where(c.position > since, sa.or_(*telling)).order_by(c.position)
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


def _fits(row: Row, one: Wanted, head_at: datetime) -> bool:
    if any(row[name] != one.row[name] for name in _MATTERS):
        return False
    if row["state"] == WAITING and row["attempts"] == 0 and _is_far(row["due_at"], max(one.at, head_at)):
        return False
    return _without_times(row["payload"]) == _without_times(one.row["payload"])


def _is_far(due_at: str, at: datetime) -> bool:
    try:
        return datetime.fromisoformat(due_at) - at > FAR  # not `at + FAR`: what has no end is due at the end of time
    except (ValueError, TypeError):
        return True


def _without_times(payload: str) -> object:
    """A plan is made with the clock's time, which is the event's but for the clock's tolerance."""
    try:
        parts = json.loads(payload)
    except ValueError:
        return payload
    return {name: part for name, part in parts.items() if not (isinstance(part, str) and _TIME.match(part))}
