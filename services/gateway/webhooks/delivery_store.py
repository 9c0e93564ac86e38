"""Stores deliveries, attempts and people's requests in the gateway's database. Blocking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.gateway.webhooks.health import EndpointHealth, next_try
from services.gateway.webhooks.posting import Answer
from services.gateway.webhooks.snapshot import (
    FAILED,
    PING,
    WAITING,
    Cursor,
    Delivery,
    Endpoint,
    Snapshot,
    due,
    health_of,
    look,
)
from services.gateway.webhooks.tables import attempts, cursors, deliveries, endpoint_health
from shared.eventstore.log import to_text

ATTEMPTS_KEPT, FAILED_KEPT = timedelta(days=14), timedelta(days=30)
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an attempt: the endpoint's health after it, and whether the event was given up. `is_current` is
    False when somebody moved the endpoint's cursor meanwhile."""

    health: EndpointHealth
    given_up: bool
    is_current: bool


class DeliveryStore:
    """`writes` may be the same engine as `reads`, except on SQLite: give the dispatcher its own write engine there."""

    def __init__(self, reads: sa.Engine, writes: sa.Engine) -> None:
        self._reads, self._writes = reads, writes

    def look(self) -> Snapshot:
        """The endpoints and their deliveries now."""
        with self._reads.connect() as connection:
            return look(connection)

    def start_at(self, endpoint_id: str, source: str, since: str, position: int) -> None:
        """Deliver the events of this log behind a position to the endpoint."""
        row = {"endpoint_id": endpoint_id, "source": source, "since": since, "position": position}
        with self._writes.begin() as connection:
            _put(connection, cursors, row)

    def move(self, endpoint_id: str, source: str, before: Cursor, after: int) -> bool:
        """Move the cursor to `after`: events up to there need no further attempt. False when it was moved meanwhile."""
        with self._writes.begin() as connection:
            return _move(connection, endpoint_id, source, before, after)

    def due(self, endpoint_id: str, most: int, now: datetime, *, pings: bool) -> Sequence[Delivery]:
        with self._reads.connect() as connection:
            return due(connection, endpoint_id, now, most, pings=pings)

    def record(
        self,
        endpoint: Endpoint,
        delivery: Delivery,
        answer: Answer,
        began: datetime,
        now: datetime,
        attempt_id: str,
        before: Cursor | None = None,
    ) -> Outcome:
        """Record one attempt, in one transaction. With `before`, it was the first, and the cursor moves behind the
        event."""
        endpoint_id, is_ping = endpoint.endpoint_id, delivery.source == PING
        first_at, tries = delivery.first_at or began, delivery.tries + 1
        again = None if answer.taken or is_ping else next_try(tries, first_at, now, answer.asked_seconds)
        given_up = not answer.taken and again is None and not is_ping
        with self._writes.begin() as connection:
            is_current = before is None or _move(connection, endpoint_id, delivery.source, before, delivery.position)
            connection.execute(
                sa.insert(attempts).values(
                    attempt_id=attempt_id,
                    endpoint_id=endpoint_id,
                    event_id=delivery.event_id,
                    source=delivery.source,
                    position=delivery.position,
                    type=delivery.type,
                    number=tries,
                    at=to_text(began),
                    outcome="delivered" if answer.taken else "given-up" if given_up else "failed",
                    status=answer.status,
                    error=answer.error,
                    answer=None if answer.taken else answer.text,
                    milliseconds=round(answer.seconds * 1_000),
                    next_at=None if again is None else to_text(again),
                )
            )
            if answer.taken or is_ping:
                _drop(connection, deliveries, endpoint_id, delivery.event_id)
            else:
                row = {
                    "endpoint_id": endpoint_id,
                    "event_id": delivery.event_id,
                    "source": delivery.source,
                    "position": delivery.position,
                    "type": delivery.type,
                    "state": FAILED if given_up else WAITING,
                    "tries": tries,
                    "first_at": to_text(first_at),
                    "due_at": to_text(again or now),
                }
                _put(connection, deliveries, row)
            old = self._health(connection, endpoint)
            health = old if is_ping else old.succeeded(now) if answer.taken else old.failed(now)
            if health != old:
                _put(connection, endpoint_health, _row_of(endpoint_id, health))
            if answer.taken and old.is_down:
                _waiting_now(connection, endpoint_id, now)
        return Outcome(health, given_up, is_current)

    def forget(self, endpoint_id: str) -> None:
        """Delete what is stored for a removed endpoint, except its attempts."""
        with self._writes.begin() as connection:
            for table in (cursors, endpoint_health, deliveries):
                connection.execute(sa.delete(table).where(table.c.endpoint_id == endpoint_id))

    def purge(self, now: datetime) -> bool:
        """Delete a part of what is older than its retention. Returns whether there may be more."""
        old = sa.select(attempts.c.attempt_id).where(attempts.c.at < to_text(now - ATTEMPTS_KEPT)).limit(AT_ONCE)
        given_up = sa.delete(deliveries).where(
            deliveries.c.state == FAILED, deliveries.c.due_at < to_text(now - FAILED_KEPT)
        )
        with self._writes.begin() as connection:
            connection.execute(given_up)
            deleted = connection.execute(sa.delete(attempts).where(attempts.c.attempt_id.in_(old))).rowcount
        return deleted == AT_ONCE

    # For people

    def ask_again(self, endpoint_id: str, delivery: Delivery, now: datetime) -> None:
        """Deliver an event, even if it was delivered before or the filter excludes it."""
        row = {
            "endpoint_id": endpoint_id,
            "event_id": delivery.event_id,
            "source": delivery.source,
            "position": delivery.position,
            "type": delivery.type,
            "state": WAITING,
            "tries": 0,
            "due_at": to_text(now),
        }
        with self._writes.begin() as connection:
            _put(connection, deliveries, row)

    def ask_all_failed_again(self, endpoint_id: str, now: datetime) -> int:
        """Deliver all events again that were given up. Returns their number."""
        c = deliveries.c
        again = {"state": WAITING, "tries": 0, "first_at": None, "due_at": to_text(now)}
        statement = sa.update(deliveries).where(c.endpoint_id == endpoint_id, c.state == FAILED).values(again)
        with self._writes.begin() as connection:
            return connection.execute(statement).rowcount

    def _health(self, connection: sa.Connection, endpoint: Endpoint) -> EndpointHealth:
        statement = sa.select(endpoint_health).where(endpoint_health.c.endpoint_id == endpoint.endpoint_id)
        row = connection.execute(statement).mappings().one_or_none()
        return (health_of(row) if row else EndpointHealth()).since(endpoint.turned_at)


def _put(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """Insert or replace a whole row; columns left out are None."""
    whole = {column.name: row.get(column.name) for column in table.columns}
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key = [column.name for column in table.primary_key.columns]
    statement = insert(table).values(whole)
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=whole))


def _drop(connection: sa.Connection, table: sa.Table, endpoint_id: str, event_id: str) -> None:
    connection.execute(sa.delete(table).where(table.c.endpoint_id == endpoint_id, table.c.event_id == event_id))


def _move(connection: sa.Connection, endpoint_id: str, source: str, before: Cursor, after: int) -> bool:
    c = cursors.c
    statement = (
        sa.update(cursors)
        .where(c.endpoint_id == endpoint_id, c.source == source)
        .where(c.since == before.since, c.position == before.position)
        .values(position=after)
    )
    return connection.execute(statement).rowcount == 1


def _waiting_now(connection: sa.Connection, endpoint_id: str, now: datetime) -> None:
    c = deliveries.c
    statement = sa.update(deliveries).where(c.endpoint_id == endpoint_id, c.state == WAITING, c.due_at > to_text(now))
    connection.execute(statement.values(due_at=to_text(now)))


def _row_of(endpoint_id: str, health: EndpointHealth) -> Mapping[str, Any]:
    return {
        "endpoint_id": endpoint_id,
        "failures": health.failures,
        "failing_since": None if health.failing_since is None else to_text(health.failing_since),
        "resting_until": None if health.resting_until is None else to_text(health.resting_until),
        "succeeded_at": None if health.succeeded_at is None else to_text(health.succeeded_at),
    }
