"""What became of asking a channel to close a payment."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0007"
down_revision = "gateway_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("closing", sa.Text(), nullable=True))
    op.add_column("payments", sa.Column("closing_since", sa.Text(), nullable=True))
    op.create_index("payments_by_closing", "payments", ["closing", "requested_at", "payment_id"])
