"""How far a log has been handed on to the outside: a durable position by name."""

from __future__ import annotations

import sqlalchemy as sa

from shared.eventlog import schema
from shared.eventlog.log import Fenced


def read(connection: sa.Connection, name: str) -> int:
    """The position stored last; 0, stored as well, when there was none."""
    statement = sa.select(schema.checkpoints.c.position).where(schema.checkpoints.c.name == name)
    position = connection.execute(statement).scalar_one_or_none()
    if position is None:
        connection.execute(sa.insert(schema.checkpoints).values(name=name, position=0))
    return position or 0


def move(connection: sa.Connection, name: str, before: int, after: int) -> None:
    """Store a later position. Raises Fenced when it was not at `before`."""
    c = schema.checkpoints.c
    statement = sa.update(schema.checkpoints).where(c.name == name, c.position == before).values(position=after)
    if connection.execute(statement).rowcount != 1:
        raise Fenced(f"the checkpoint {name} is no longer at {before}")
