"""The endpoints and their deliveries, as read from the gateway's database at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.gateway.webhooks.health import EndpointHealth
from services.gateway.webhooks.projection import webhook_endpoints
from services.gateway.webhooks.tables import cursors, deliveries, endpoint_health
from shared.eventstore.log import to_text
from shared.projections.rebuild import positions

PING = "ping"
WAITING, FAILED = "waiting", "failed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint, from the read model. `since` has the time from which it gets each service's events; `turned_at` is
    when it was last enabled or disabled."""

    endpoint_id: str
    url: str
    events: tuple[str, ...]
    since: Mapping[str, str]
    status: str
    generation: int
    former_until: datetime | None
    registered_at: str
    turned_at: datetime

    def since_of(self, source: str) -> str:
        """When the endpoint began to get the service's events. For a service that was added later: its registration."""
        return self.since.get(source, self.registered_at)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a log was delivered to an endpoint. A change of the filter that changes `since` makes it invalid."""

    since: str
    position: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an endpoint. It failed `tries` times so far, the first time at `first_at`."""

    event_id: str
    source: str
    position: int
    type: str
    tries: int = 0
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of an endpoint: how many deliveries wait and when the first event and the first ping are due, how many
    were given up, and when the oldest waiting one was first tried."""

    waiting: int = 0
    due_at: str | None = None
    ping_at: str | None = None
    failed: int = 0
    first_at: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment. `reached` is the position of each log that the read models have reached."""

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    reached: Mapping[str, int] = field(default_factory=dict)
    cursors: Mapping[tuple[str, str], Cursor] = field(default_factory=dict)
    endpoint_health: Mapping[str, EndpointHealth] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)

    def health(self, endpoint: Endpoint) -> EndpointHealth:
        return self.endpoint_health.get(endpoint.endpoint_id, EndpointHealth()).since(endpoint.turned_at)


def look(connection: sa.Connection) -> Snapshot:
    """Read a snapshot. Without endpoints, nothing else is read."""
    endpoints = {row["endpoint_id"]: _endpoint(row) for row in _all(connection, sa.select(webhook_endpoints))}
    if not endpoints:
        return Snapshot()
    return Snapshot(
        endpoints,
        positions(connection, "gateway"),
        {
            (row["endpoint_id"], row["source"]): Cursor(row["since"], row["position"])
            for row in _all(connection, sa.select(cursors))
        },
        {row["endpoint_id"]: health_of(row) for row in _all(connection, sa.select(endpoint_health))},
        _queues(connection),
    )


def due(connection: sa.Connection, endpoint_id: str, now: datetime, most: int, *, pings: bool) -> Sequence[Delivery]:
    """The deliveries that are due, the longest due first."""
    c = deliveries.c
    statement = (
        sa.select(deliveries)
        .where(c.endpoint_id == endpoint_id, c.state == WAITING, c.due_at <= to_text(now))
        .where(c.source == PING if pings else c.source != PING)
        .order_by(c.due_at, c.event_id)
        .limit(most)
    )
    return [_delivery(row) for row in _all(connection, statement)]


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _all(connection: sa.Connection, statement: sa.Select[Any]) -> Sequence[sa.RowMapping]:
    return connection.execute(statement).mappings().all()


def _queues(connection: sa.Connection) -> dict[str, Queue]:
    c = deliveries.c
    statement = sa.select(
        c.endpoint_id,
        sa.func.count().filter(c.state == WAITING).label("waiting"),
        sa.func.min(c.due_at).filter(c.state == WAITING, c.source != PING).label("due_at"),
        sa.func.min(c.due_at).filter(c.state == WAITING, c.source == PING).label("ping_at"),
        sa.func.count().filter(c.state == FAILED).label("failed"),
        sa.func.min(c.first_at).filter(c.state == WAITING, c.source != PING).label("first_at"),
    ).group_by(c.endpoint_id)
    return {row.endpoint_id: Queue(*row[1:]) for row in connection.execute(statement)}


def _endpoint(row: sa.RowMapping) -> Endpoint:
    return Endpoint(
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        events=tuple(row["events"]),
        since=row["since"],
        status=row["status"],
        generation=row["generation"],
        former_until=_time(row["former_until"]),
        registered_at=row["registered_at"],
        turned_at=datetime.fromisoformat(row["changed_at"]),
    )


def health_of(row: sa.RowMapping) -> EndpointHealth:
    return EndpointHealth(
        row["failures"], _time(row["failing_since"]), _time(row["resting_until"]), _time(row["succeeded_at"])
    )


def _delivery(row: sa.RowMapping) -> Delivery:
    return Delivery(row["event_id"], row["source"], row["position"], row["type"], row["tries"], _time(row["first_at"]))
