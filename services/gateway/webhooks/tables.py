"""The tables of deliveries in the gateway's database. They come from no event, and no rebuild touches them.

Times are text, in the format of the log.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

cursors = sa.Table(
    "webhook_cursors",
    metadata,
    sa.Column("endpoint_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)

endpoint_health = sa.Table(
    "webhook_courses",
    metadata,
    sa.Column("endpoint_id", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", sa.Text),
    sa.Column("resting_until", sa.Text),
    sa.Column("succeeded_at", sa.Text),
)

deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("endpoint_id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("first_at", sa.Text),
    sa.Column("due_at", sa.Text, nullable=False),
    sa.Index("webhook_deliveries_due", "endpoint_id", "state", "due_at", "event_id"),
)

attempts = sa.Table(
    "webhook_attempts",
    metadata,
    sa.Column("attempt_id", sa.Text, primary_key=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("error", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Column("milliseconds", sa.Integer, nullable=False),
    sa.Column("next_at", sa.Text),
    sa.Index("webhook_attempts_of_endpoint", "endpoint_id", "at", "attempt_id"),
    sa.Index("webhook_attempts_by_time", "at"),
)
