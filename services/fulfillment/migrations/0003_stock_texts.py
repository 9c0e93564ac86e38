"""Which texts lie in stock, by keyed hash, and which keys' texts suppliers sent."""

import sqlalchemy as sa
from alembic import op

revision = "fulfillment_0003"
down_revision = "fulfillment_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stock_texts",
        sa.Column("blind_index", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("blind_index"),
    )
    op.add_column("delivered_keys", sa.Column("supplied_for", sa.Text()))
