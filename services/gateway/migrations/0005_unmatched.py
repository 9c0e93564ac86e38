"""Money that fits no payment, and the returns of payments."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0005"
down_revision = "gateway_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unmatched_payments",
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("channel_ref", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.Column("expected_currency", sa.Text(), nullable=True),
        sa.Column("booked", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("item"),
    )
    op.create_index("unmatched_payments_by_status", "unmatched_payments", ["status", "opened_at", "item"])
    op.create_index("unmatched_payments_by_payment", "unmatched_payments", ["payment_id", "opened_at"])
    op.add_column("payments", sa.Column("returns", sa.JSON(), nullable=True))
    op.add_column("payments", sa.Column("failed_returns", sa.Integer(), nullable=True))
    op.create_index("payments_by_failed_returns", "payments", ["failed_returns", "requested_at", "payment_id"])
    op.add_column("orders", sa.Column("refunds", sa.JSON(), nullable=True))
    op.add_column("orders", sa.Column("payment_problem", sa.Text(), nullable=True))
