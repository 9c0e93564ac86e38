"""What suppliers told of purchases that were never asked of them."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0013"
down_revision = "gateway_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supplier_reports",
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text()),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("supplier_ref", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cost", sa.BigInteger()),
        sa.Column("cost_currency", sa.String(3)),
        sa.Column("goods", sa.Integer()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("told_at", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Text()),
        sa.Column("opened_by", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.Column("reports", sa.Integer()),
        sa.PrimaryKeyConstraint("report_id"),
    )
    op.create_index("supplier_reports_by_status", "supplier_reports", ["status", "told_at", "report_id"])
