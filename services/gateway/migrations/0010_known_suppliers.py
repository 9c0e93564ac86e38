"""Whom anything was ever bought from, or is to be."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0010"
down_revision = "gateway_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_suppliers", sa.Column("supplier", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("supplier")
    )
