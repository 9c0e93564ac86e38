"""Checks the hash chain of a whole log."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from shared.eventstore import schema
from shared.eventstore.log import EPOCH, GENESIS, HEAD, link_fields
from shared.eventstore.log_reader import LAST


@dataclass(frozen=True, slots=True)
class Tampered:
    """The first position whose content does not fit the hash chain."""

    position: int


def check_chain(engine: sa.Engine) -> Tampered | None:
    """Check the whole log: positions have no gap, each hash is right, and the head fits the last event."""
    chain, at, reached = GENESIS, EPOCH, 0
    with engine.connect() as connection:
        head = connection.execute(HEAD.add_columns(LAST.scalar_subquery().label("last"))).one()
        while reached < head.position:
            statement = (
                sa.select(schema.log)
                .where(schema.log.c.position.between(reached + 1, head.position))
                .order_by(schema.log.c.position)
                .limit(2_000)
            )
            rows = connection.execute(statement).all()
            if not rows:
                return Tampered(reached + 1)
            for row in rows:
                if row.position != reached + 1:
                    return Tampered(reached + 1)
                chain, at = link_fields(chain, *row[:-1]), row.at
                if chain != bytes(row.hash):
                    return Tampered(row.position)
                reached = row.position
    if (chain, at) != (bytes(head.hash), head.at):
        return Tampered(head.position)
    return Tampered(head.position + 1) if head.last > head.position else None
