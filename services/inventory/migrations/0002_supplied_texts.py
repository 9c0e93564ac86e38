"""Which key has a text, and which texts suppliers sent for orders, by keyed hash."""

import sqlalchemy as sa
from alembic import op

revision = "inventory_0002"
down_revision = "inventory_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("key_index", sa.Column("sku", sa.Text()))
    op.add_column("key_index", sa.Column("number", sa.Integer()))
    op.create_table(
        "supplied_texts",
        sa.Column("blind_index", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("blind_index"),
    )
