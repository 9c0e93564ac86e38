"""The tables of fulfillment."""

import sqlalchemy as sa
from alembic import op

revision = "fulfillment_0001"
down_revision = None
branch_labels = ("fulfillment",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivered_keys",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sku", "number"),
    )
    op.create_table(
        "supplier_health",
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.Text(), nullable=True),
        sa.Column("succeeded_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("supplier"),
    )
