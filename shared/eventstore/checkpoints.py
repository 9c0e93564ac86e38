"""Checkpoints: durable positions by name, such as how far a log has been published."""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore import schema
from shared.eventstore.log import Fenced

PUBLISHER = "publisher"
PUBLISHED_BEFORE_HEALING = "publisher, before the log was healed"
"""Up to here, events were published that this log lacks; the events that replace them are not published."""


def read(connection: sa.Connection, name: str) -> int:
    """The stored position. Without one, stores and returns 0."""
    statement = sa.select(schema.checkpoints.c.position).where(schema.checkpoints.c.name == name)
    position = connection.execute(statement).scalar_one_or_none()
    if position is None:
        connection.execute(sa.insert(schema.checkpoints).values(name=name, position=0))
    return position or 0


def stored(connection: sa.Connection, name: str) -> int:
    """The stored position, 0 without one. Writes nothing."""
    statement = sa.select(schema.checkpoints.c.position).where(schema.checkpoints.c.name == name)
    return connection.execute(statement).scalar_one_or_none() or 0


def move(connection: sa.Connection, name: str, before: int, after: int) -> None:
    """Store position `after`. Raises Fenced when the stored position is not `before`."""
    c = schema.checkpoints.c
    statement = sa.update(schema.checkpoints).where(c.name == name, c.position == before).values(position=after)
    if connection.execute(statement).rowcount != 1:
        raise Fenced(f"the checkpoint {name} is no longer at {before}")


def raise_to(connection: sa.Connection, name: str, position: int) -> None:
    """Store a position, unless a later one is stored."""
    before = read(connection, name)
    if position > before:
        move(connection, name, before, position)
