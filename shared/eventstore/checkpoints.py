"""How far a log has been handed on to the outside: a durable position by name."""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventstore import schema
from shared.eventstore.log import Fenced

PUBLISHER = "publisher"
TOLD = "publisher, before the log was healed"
"""Up to here the outside was told of events that this log does not hold: what stands there now is not told."""


def read(connection: sa.Connection, name: str) -> int:
    """The position stored last; 0, stored as well, when there was none."""
    statement = sa.select(schema.checkpoints.c.position).where(schema.checkpoints.c.name == name)
    position = connection.execute(statement).scalar_one_or_none()
    if position is None:
        connection.execute(sa.insert(schema.checkpoints).values(name=name, position=0))
    return position or 0


def stored(connection: sa.Connection, name: str) -> int:
    """The position stored last, 0 when there is none; nothing is written."""
    statement = sa.select(schema.checkpoints.c.position).where(schema.checkpoints.c.name == name)
    return connection.execute(statement).scalar_one_or_none() or 0


def move(connection: sa.Connection, name: str, before: int, after: int) -> None:
    """Store a later position. Raises Fenced when it was not at `before`."""
    c = schema.checkpoints.c
    statement = sa.update(schema.checkpoints).where(c.name == name, c.position == before).values(position=after)
    if connection.execute(statement).rowcount != 1:
        raise Fenced(f"the checkpoint {name} is no longer at {before}")


def raise_to(connection: sa.Connection, name: str, position: int) -> None:
    """Store a position, unless a later one is stored."""
    before = read(connection, name)
    if position > before:
        move(connection, name, before, position)
